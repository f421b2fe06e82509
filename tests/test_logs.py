"""How much is logged, and where to."""

from __future__ import annotations

import logging

import pytest

import coldframe.config
from coldframe import logs


@pytest.fixture(autouse=True)
def as_before():
    names = ["coldframe", *(f"coldframe.{stream}" for stream in logs.STREAMS)]
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    for handler in logs._handlers:
        handler.close()
    logs._handlers.clear()
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.level, logger.propagate, logger.handlers = level, propagate, handlers


def say() -> None:
    for name in ("coldframe", "coldframe.s3", "coldframe.library"):
        logger = logging.getLogger(name)
        logger.info("info of %s", name)
        logger.error("error of %s", name)
        logger.critical("critical of %s", name)


def test_messages_go_to_stderr_from_the_level_on(capsys):
    coldframe.config.set_log_level("ERROR")
    say()
    found = capsys.readouterr().err
    assert "error of coldframe.library" in found
    assert "info of" not in found


def test_s3_says_only_what_is_critical_unless_it_is_named(capsys):
    coldframe.config.set_log_level("DEBUG")
    say()
    found = capsys.readouterr().err
    assert "info of coldframe.library" in found
    assert "error of coldframe.s3" not in found
    assert "critical of coldframe.s3" in found
    coldframe.config.set_log_level("ERROR", {"s3": "INFO", "no such stream": "INFO"})
    say()
    found = capsys.readouterr().err
    assert "info of coldframe.s3" in found
    assert "info of coldframe.library" not in found


def test_a_later_call_replaces_an_earlier_one(tmp_path, capsys):
    coldframe.config.set_log_level("INFO", file_output_path=str(tmp_path / "log"), console_output=False)
    say()
    assert capsys.readouterr().err == ""
    assert "info of coldframe" in (tmp_path / "log").read_text()
    before = (tmp_path / "log").read_text()
    coldframe.config.set_log_level("INFO")
    say()
    assert capsys.readouterr().err.count("info of coldframe.library") == 1
    assert (tmp_path / "log").read_text() == before


def test_off_logs_nothing(capsys):
    coldframe.config.set_log_level("OFF")
    logging.getLogger("coldframe.library").critical("anything")
    assert capsys.readouterr().err == ""


def test_what_makes_no_sense_is_refused_and_changes_nothing(capsys):
    coldframe.config.set_log_level("ERROR")
    for levels in ({"default_level": "info"}, {"default_level": "LOUD"}, {"specific_log_levels": {"s3": "LOUD"}}):
        with pytest.raises(AttributeError, match="DEBUG, INFO, WARN"):
            coldframe.config.set_log_level(**levels)
    with pytest.raises(ValueError, match="OFF"):
        coldframe.config.set_log_level(console_output=False)
    say()
    found = capsys.readouterr().err
    assert "error of coldframe.library" in found
    assert "info of" not in found


def test_levels_from_the_environment():
    logs.levels_from_environment({"ARCTICDB_all_loglevel": "debug", "COLDFRAME_s3_loglevel": "ERROR",
                                  "COLDFRAME_version_loglevel": "LOUD", "COLDFRAME_nothing_loglevel": "INFO"})
    assert logging.getLogger("coldframe").level == logging.DEBUG
    assert logging.getLogger("coldframe.s3").level == logging.ERROR
    assert logging.getLogger("coldframe.version").level == logging.NOTSET
