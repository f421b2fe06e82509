"""Settings of the process."""

from __future__ import annotations

import pytest

from coldframe import config


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_from_code", {})
    monkeypatch.setattr(config, "_from_environment", {})


def test_unset_is_none() -> None:
    assert config.get_config_int("No.Such") is None
    assert config.get_config_string("No.Such") is None


def test_case_and_separators_do_not_matter() -> None:
    config.set_config_int("Version.Some_Thing", 4)
    assert config.get_config_int("VERSION_some.thing") == 4


def test_a_setting_of_another_type_is_none() -> None:
    config.set_config_int("A", 1)
    config.set_config_string("B", "x")
    assert config.get_config_string("A") is None
    assert config.get_config_int("B") is None


@pytest.mark.parametrize("value", ["1", 1.5, None, True])
def test_an_int_must_be_an_int(value: object) -> None:
    with pytest.raises(TypeError, match="needs an int"):
        config.set_config_int("A", value)  # type: ignore[arg-type]


def test_a_string_must_be_a_string_and_a_name_too() -> None:
    with pytest.raises(TypeError, match="needs a str"):
        config.set_config_string("A", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name of a setting"):
        config.get_config_int(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["ARCTICDB_", "coldframe_", "COLDFRAME_", "Arctic_Native_"])
def test_environment(prefix: str) -> None:
    config.set_config_from_env_vars({f"{prefix}S3Storage_VerifySSL_INT": "0", "PATH": "/bin"})
    assert config.get_config_int("S3Storage.VerifySSL") == 0


def test_environment_types() -> None:
    config.set_config_from_env_vars(
        {
            "COLDFRAME_A_B_str": "text",
            "COLDFRAME_C_D_loglevel": "DEBUG",
            "COLDFRAME_E_F": "plain",
            "COLDFRAME_G_H_int": "not a number",
            "COLDFRAME_I_J_float": "1.5",
        }
    )
    assert config.get_config_string("A.B") == "text"
    assert config.get_config_string("C.D") == "DEBUG"
    assert config.get_config_string("E.F") == "plain"
    assert config.get_config_int("G.H") is None
    assert config.get_config_int("I.J") is None


def test_code_beats_the_environment() -> None:
    config.set_config_int("A.B", 1)
    config.set_config_from_env_vars({"COLDFRAME_A_B_int": "2"})
    assert config.get_config_int("A.B") == 1
