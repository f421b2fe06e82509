"""Options: what they accept, how they are stored, and what a change of one means."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from coldframe.catalog.config import LibraryConfig
from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticInvalidApiUsageException,
    MismatchingLibraryOptions,
    UnknownLibraryOption,
    UnsupportedLibraryOptionValue,
)
from coldframe.options import (
    ArrowOutputStringFormat,
    EncodingVersion,
    EnterpriseLibraryOptions,
    LibraryOptions,
    ModifiableEnterpriseLibraryOption,
    ModifiableLibraryOption,
    OutputFormat,
    RuntimeOptions,
    change_of,
    check_same,
    config_of,
    enterprise_options_of,
    options_of,
)

DEFAULTS = (
    "LibraryOptions(dynamic_schema=False, dedup=False, rows_per_segment=100000, columns_per_segment=127, "
    "encoding_version={}, recursive_normalizers=False, prune_previous_versions=False)"
)


def test_library_options_are_keyword_only_values() -> None:
    with pytest.raises(TypeError):
        LibraryOptions(True)  # type: ignore[misc]
    assert LibraryOptions() == LibraryOptions(rows_per_segment=100_000)
    assert LibraryOptions() != LibraryOptions(dedup=True)
    assert LibraryOptions() != 5
    with pytest.raises(TypeError):
        hash(LibraryOptions())


def test_library_options_show_every_field() -> None:
    assert repr(LibraryOptions()) == DEFAULTS.format("Default")
    assert repr(LibraryOptions(encoding_version=EncodingVersion.V2)) == DEFAULTS.format(1)


def test_options_survive_being_stored() -> None:
    options = LibraryOptions(
        dynamic_schema=True,
        dedup=True,
        rows_per_segment=7,
        columns_per_segment=3,
        encoding_version=EncodingVersion.V2,
        recursive_normalizers=True,
        prune_previous_versions=True,
    )
    enterprise = EnterpriseLibraryOptions(replication=True, background_deletion=True)
    config = config_of(options, enterprise, EncodingVersion.V1)
    assert options_of(config) == options
    assert enterprise_options_of(config) == enterprise


def test_left_open_means_default() -> None:
    config = config_of(LibraryOptions(rows_per_segment=0, columns_per_segment=0), None, EncodingVersion.V2)
    assert config == LibraryConfig(encoding_version=1)


def test_options_given_are_not_changed() -> None:
    options = LibraryOptions()
    config_of(options, None, EncodingVersion.V2)
    assert options.encoding_version is None


@pytest.mark.parametrize("name", ["rows_per_segment", "columns_per_segment"])
def test_sizes_must_be_whole_and_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        config_of(LibraryOptions(**{name: -1}), None, 0)
    for wrong in ("10", 1.5, True, None):
        with pytest.raises(TypeError, match=f"{name} must be an int"):
            config_of(LibraryOptions(**{name: wrong}), None, 0)


@pytest.mark.parametrize("name", ["dynamic_schema", "dedup", "recursive_normalizers", "prune_previous_versions"])
def test_flags_must_be_bools(name: str) -> None:
    for wrong in (1, "yes", None):
        with pytest.raises(TypeError, match=f"{name} must be a bool"):
            config_of(LibraryOptions(**{name: wrong}), None, 0)


def test_encoding_version_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"V1 \(0\), V2 \(1\)"):
        config_of(LibraryOptions(encoding_version=7), None, 0)


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(ArcticInvalidApiUsageException, match=r"LibraryOptions, got dict.*LibraryOptions\("):
        config_of({"dedup": True}, None, 0)  # type: ignore[arg-type]


def test_a_mismatch_names_what_differs() -> None:
    with pytest.raises(MismatchingLibraryOptions) as caught:
        check_same("lib", LibraryConfig(dedup=True, rows_per_segment=5), LibraryConfig())
    assert "'lib'" in str(caught.value)
    assert "dedup is True, wanted False" in str(caught.value)
    assert "rows_per_segment is 5, wanted 100000" in str(caught.value)
    assert "dynamic_schema" not in str(caught.value)


def test_identity_and_enterprise_options_are_no_mismatch() -> None:
    check_same("lib", LibraryConfig(identity="a", replication=True), LibraryConfig(identity="b"))


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        (ModifiableLibraryOption.DEDUP, True, "dedup"),
        (ModifiableLibraryOption.ROWS_PER_SEGMENT, 5, "rows_per_segment"),
        (ModifiableLibraryOption.COLUMNS_PER_SEGMENT, 5, "columns_per_segment"),
        (ModifiableLibraryOption.RECURSIVE_NORMALIZERS, True, "recursive_normalizers"),
        (ModifiableLibraryOption.PRUNE_PREVIOUS_VERSIONS, True, "prune_previous_versions"),
        (ModifiableEnterpriseLibraryOption.REPLICATION, True, "replication"),
        (ModifiableEnterpriseLibraryOption.BACKGROUND_DELETION, True, "background_deletion"),
    ],
)
def test_every_modifiable_option_is_a_field(option, value: bool | int, field: str) -> None:
    assert change_of(option, value) == {field: value}
    assert hasattr(LibraryConfig(), field)


def test_bad_changes() -> None:
    for size in (0, -1):
        with pytest.raises(UnsupportedLibraryOptionValue, match="must be positive"):
            change_of(ModifiableLibraryOption.ROWS_PER_SEGMENT, size)
    with pytest.raises(TypeError):
        change_of(ModifiableLibraryOption.ROWS_PER_SEGMENT, True)
    with pytest.raises(TypeError):
        change_of(ModifiableLibraryOption.DEDUP, 1)
    for unknown in ("dedup", 1, None, [], LibraryOptions()):
        with pytest.raises(UnknownLibraryOption, match=r"ModifiableLibraryOption\.DEDUP"):
            change_of(unknown, True)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [OutputFormat.PANDAS, "PANDAS", "pandas", "Pandas"])
def test_output_format_by_member_or_name(value: str) -> None:
    assert OutputFormat.of(value) is OutputFormat.PANDAS


def test_output_formats_to_come_and_unknown() -> None:
    for value in (OutputFormat.PYARROW, "polars"):
        with pytest.raises(ArcticDbNotYetImplemented, match="pandas objects only"):
            OutputFormat.of(value)
    for value in ("numpy", "", None, 1):
        with pytest.raises(ValueError, match="PANDAS, PYARROW, POLARS"):
            OutputFormat.of(value)


def test_string_formats() -> None:
    assert ArrowOutputStringFormat.of(pa.large_string()) is ArrowOutputStringFormat.LARGE_STRING
    assert ArrowOutputStringFormat.of(pa.string()) is ArrowOutputStringFormat.SMALL_STRING
    dictionary = pa.dictionary(pa.int32(), pa.large_string())
    assert ArrowOutputStringFormat.of(dictionary) is ArrowOutputStringFormat.CATEGORICAL
    for member in ArrowOutputStringFormat:
        assert ArrowOutputStringFormat.of(member) is ArrowOutputStringFormat.of(member.value) is member
    for wrong in ("large_string", None, 3, pa.int8()):
        with pytest.raises(ValueError, match="LARGE_STRING"):
            ArrowOutputStringFormat.of(wrong)


def test_runtime_options_are_checked_when_set() -> None:
    runtime = RuntimeOptions(output_format="pandas")
    assert runtime.output_format is OutputFormat.PANDAS
    with pytest.raises(ValueError, match="output_format"):
        runtime.set_output_format("excel")
    with pytest.raises(ValueError, match="string format"):
        runtime.set_arrow_string_format_default("excel")
    assert pickle.loads(pickle.dumps(runtime)) == runtime
