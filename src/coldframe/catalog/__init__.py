"""The catalog: what the objects of a library mean: heads, versions, manifests, snapshots, commits."""
