"""Tables as bytes: types, schemas, codecs, blocks, segments and checksums. Nothing here reads or writes a store."""
