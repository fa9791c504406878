# /// script
# requires-python = ">=3.11"
# dependencies = ["prophet==1.5.0", "cmdstanpy==1.3.2", "numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Turns a Python worker's pickled Prophet models into the JSON files that the detector reads.

    uv run models/export_models.py PICKLES_DIR OUT_DIR       (or: pipx run models/export_models.py PICKLES_DIR OUT_DIR)

Opening a pickle runs the code in it: it asks before it opens the first one. It reads `prophet_model_*.pkl`,
`detector_config.json` and `variable_stats.json`, and writes what prediction needs: no training rows, but the dates of a
country's holidays. A file appears under its name only after real Prophet read it back and predicted what the pickle
predicts. What cannot be converted is refused by name, and the others are converted. The exit code is 0 if all were
converted, 1 if one was refused, 2 if nothing could be begun.

Best run with the Python that trained the models (`path/to/its/python models/export_models.py …`), which has the same
holidays. So this stays within Python 3.8 and Prophet 1.1 to 1.5.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import shutil
import sys
import warnings
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

PREFIX = "prophet_model_"
CONFIG = "detector_config.json"
STATS = "variable_stats.json"

WARNING = """\
Opening a pickle runs the code in it. A file from someone else can do on this machine whatever you can.
Go on only if you know who made the {count} files in `{folder}`."""

# yhat of the two forms, relative to its greatest magnitude.
AGREEMENT = 1e-12
# Rows of the training history and as many after it, by which the two forms are compared.
COMPARED = 300
# What prediction takes from Stan's parameters; the others say how training went.
NEEDED = ("k", "m", "delta", "sigma_obs", "beta")


class Refused(Exception):
    """Why a pickle does not become a file; said with the pickle's name, and the next one is opened."""


class Hopeless(Exception):
    """Why nothing can be begun."""


# Which file is which variable's


def file_stem(variable: str) -> str:
    """The name that training gives the file of a variable, without its ending."""
    for character in "/\\ -":
        variable = variable.replace(character, "_")
    return PREFIX + variable


@dataclass
class Source:
    """What training left in its folder."""

    pickles: list
    config: dict | None
    stats: dict
    # Names that only the stats know.
    added: list = field(default_factory=list)

    @staticmethod
    def read(folder: Path) -> Source:
        if not folder.is_dir():
            raise Hopeless(f"`{folder}` is no folder; expected the one with `{PREFIX}*.pkl`")
        pickles = sorted(folder.glob(PREFIX + "*.pkl"))
        if not pickles:
            raise Hopeless(f"`{folder}` has no `{PREFIX}*.pkl`")
        source = Source(pickles, read_object(folder / CONFIG), read_object(folder / STATS) or {})
        spelled = (source.config or {}).get("variables") or []
        if not (isinstance(spelled, list) and all(isinstance(variable, str) for variable in spelled)):
            raise Hopeless(f"`{folder / CONFIG}`: `variables` is no list of names")
        known = {file_stem(variable) for variable in spelled}
        stems = {path.stem for path in pickles}
        source.added = [name for name in source.stats if file_stem(name) in stems - known]
        return source

    def variables(self, path: Path) -> list:
        """All variables whose file this could be; more than one is a collision."""
        spelled = list((self.config or {}).get("variables") or []) + self.added
        named = sorted({variable for variable in spelled if file_stem(variable) == path.stem})
        return named or [path.stem[len(PREFIX):]]

    def config_text(self) -> str | None:
        """The configuration with the names that only the stats knew; None: it needs no change."""
        if not self.added:
            return None
        config = dict(self.config or {})
        config["variables"] = list(config.get("variables") or []) + self.added
        return json.dumps(config, indent=2) + "\n"


def read_object(path: Path) -> dict | None:
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Hopeless(f"`{path}` cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise Hopeless(f"`{path}` is no JSON object")
    return found


def trained_on(stats: object, model) -> bool | None:
    """Whether the model's training rows are those that the stats tell of; None: the stats do not tell."""
    y = model.history["y"]
    try:
        told = [float(stats[key]) for key in ("n_points", "min", "max")]
    except (KeyError, TypeError, ValueError):
        return None
    # The trainer writes shortest round-trip numbers, so these are exact.
    return told == [float(len(y)), float(y.min()), float(y.max())]


# From the pickle to a model


class Unneeded:
    """Stands in for what Stan left in the pickle: its classes change between versions, and prediction uses none."""

    def __init__(self, *arguments, **named):
        pass

    def __setstate__(self, state):
        pass


def without_stan(unpickler):
    class WithoutStan(unpickler):
        def find_class(self, module, name):
            if module.split(".")[0] == "cmdstanpy" or module == "prophet.models":
                return Unneeded
            return super().find_class(module, name)

    return WithoutStan


def unpickle(path: Path):
    """The fitted model in the file."""
    from pandas.compat import pickle_compat
    from prophet import Prophet

    def load(unpickler):
        with path.open("rb") as file:
            return without_stan(unpickler)(file).load()

    try:
        model = load(pickle.Unpickler)
    except Exception as error:  # opening runs foreign code: anything can come
        try:
            model = load(pickle_compat.Unpickler)  # slow, but it knows what older versions of pandas wrote
        except Exception:
            raise Refused(f"cannot be opened: {type(error).__name__}: {error}") from error
    if not isinstance(model, Prophet):
        raise Refused(f"holds a `{type(model).__module__}.{type(model).__qualname__}`, not a Prophet model")
    if getattr(model, "history", None) is None or not model.params:
        raise Refused("holds a Prophet model that was never trained")
    return complete(model)


def complete(model):
    """Gives a model of another version what this one expects, as Prophet's own reader of JSON does."""
    before = vars(model)
    if "scaling" not in before:  # before 1.1.5
        model.scaling, model.y_min = "absmax", 0.0
    if "holidays_mode" not in before:  # before 1.1.5
        model.holidays_mode = model.seasonality_mode
    for regressor in model.extra_regressors.values():
        regressor["predictor"] = None  # 1.5; JSON cannot hold it, so the values come with the request
    return model


# From the model to the file


def country_holidays(model, years: int) -> list | None:
    """`[date, name]` from the first year of training to `years` ahead. The file of Prophet has the country alone."""
    if model.country_holidays is None:
        return None
    from prophet.make_holidays import make_holidays_df

    stamps = model.history["ds"]
    first, last = stamps.min().year, stamps.max().year
    table = make_holidays_df(list(range(first, max(last, date.today().year) + years + 1)), model.country_holidays)
    dates = sorted((stamp.strftime("%Y-%m-%d"), name) for stamp, name in zip(table["ds"], table["holiday"]))
    own = set() if model.holidays is None else set(model.holidays["holiday"])
    then = {name for day, name in dates if first <= int(day[:4]) <= last}
    trained = [] if model.train_holiday_names is None else list(model.train_holiday_names)
    lost = [name for name in trained if name not in then | own]
    if lost:
        # Prophet takes such a holiday for a day like any other and says nothing.
        names = ", ".join(f"`{name}`" for name in lost)
        raise Refused(
            f"was trained with holidays that the package `holidays` {version('holidays')} does not have in {first} to "
            f"{last}: {names}; run this with the Python that trained it"
        )
    return [list(entry) for entry in dates]


def to_text(model, dates: list | None) -> str:
    """Prophet's own JSON with two training rows instead of all, and two keys that Prophet passes over.

    Two rows, because Prophet reads one thing there: the mean step of the scaled time, for the interval of a request with
    one row. `history_rows` says how many there were; `country_holiday_dates` are for the detector.
    """
    import numpy as np
    from prophet.serialize import model_to_dict

    full = model.history, model.history_dates, model.params, model.fit_kwargs
    rows = len(model.history)
    try:
        model.history = model.history.head(2).assign(t=[0.0, 1.0 / (rows - 1)])
        model.history_dates = model.history_dates.iloc[[0, -1]].reset_index(drop=True)
        model.params = {key: np.asarray(model.params[key]) for key in NEEDED}
        model.params["trend"] = np.empty((1, 0))
        model.fit_kwargs = {}
        document = model_to_dict(model)
    finally:
        model.history, model.history_dates, model.params, model.fit_kwargs = full
    document["history_rows"] = rows
    if dates is not None:
        document["country_holiday_dates"] = dates
    return json.dumps(document, default=plain, allow_nan=False) + "\n"


def plain(number):
    """What `json` asks for a value it does not know. Prophet gives up at NumPy's integer, `y_min` of an integer column."""
    try:
        return number.item()
    except AttributeError:
        raise TypeError(f"a `{type(number).__name__}` cannot be written as JSON") from None


def request(model, dates: list | None):
    """Rows in and after training with the columns that the model needs, which go on as they were; and each holiday."""
    import numpy as np
    import pandas as pd

    history = model.history
    inside = history.iloc[np.unique(np.linspace(0, len(history) - 1, COMPARED).astype(int))]
    first, last = history["ds"].min(), history["ds"].max()
    after = [last + (last - first) / len(history) * step for step in range(1, COMPARED + 1)]
    days = [pd.Timestamp(day) for day in sorted({day for day, _ in dates or []})]
    stamps = list(inside["ds"]) + after + days
    rows = {"ds": pd.to_datetime(pd.Series(stamps))}
    for name in columns(model):
        values = history[name]
        if name in model.extra_regressors:  # the history holds them as the model uses them
            regressor = model.extra_regressors[name]
            values = values * regressor["std"] + regressor["mu"]
        rows[name] = np.resize(values.loc[inside.index].to_numpy(), len(stamps))
    return pd.DataFrame(rows)


def columns(model) -> list:
    """What the model needs besides timestamps."""
    named = [season["condition_name"] for season in model.seasonalities.values()] + list(model.extra_regressors)
    if model.growth == "logistic":
        named.append("cap")
    if model.logistic_floor:
        named.append("floor")
    return sorted({name for name in named if name is not None})


def difference(model, text: str) -> float:
    """How far yhat of the text is from that of the model, relative to its greatest magnitude."""
    import numpy as np
    import pandas as pd
    from prophet.serialize import model_from_json

    again = model_from_json(text)
    dates = json.loads(text).get("country_holiday_dates")
    if dates is not None:
        # The file's own dates are compared, not what the package says a second time.
        listed = pd.DataFrame(dates, columns=["ds", "holiday"]).assign(ds=lambda table: pd.to_datetime(table["ds"]))
        again.country_holidays = None
        again.holidays = listed if again.holidays is None else pd.concat([again.holidays, listed], ignore_index=True)
    rows = request(model, dates)
    model.uncertainty_samples = again.uncertainty_samples = 0
    expected, found = (np.asarray(each.predict(rows)["yhat"], dtype=float) for each in (model, again))
    return float(np.max(np.abs(found - expected)) / (np.max(np.abs(expected)) or 1.0))


def kind(model, dates: list | None) -> str:
    parts = [model.growth + (" minmax" if model.scaling == "minmax" else "")]
    for name, season in model.seasonalities.items():
        parts.append(name + (" x" if season["mode"] == "multiplicative" else ""))
    if model.holidays is not None:
        parts.append("holidays")
    if dates:
        parts.append(f"{model.country_holidays} holidays {dates[0][0][:4]}-{dates[-1][0][:4]}")
    if len(model.params["k"]) > 1:
        parts.append(f"{len(model.params['k'])} MCMC draws")
    needed = columns(model)
    return ", ".join(parts) + (f"; needs {', '.join(needed)}" if needed else "")


def version(package: str) -> str:
    from importlib.metadata import version as installed

    return installed(package)


def size(octets: int) -> str:
    return f"{octets / 1e6:.1f} MB" if octets >= 1e6 else f"{octets / 1e3:.1f} KB"


# The run


def write(path: Path, text: str, check=lambda text: None):
    """Puts the whole text under its name, or nothing. What `check` says of the file read back is returned."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        said = check(aside.read_text(encoding="utf-8"))
        os.replace(aside, path)
        return said
    finally:
        if aside.exists():
            aside.unlink()


def verified(model, text: str) -> float:
    apart = difference(model, text)
    if not apart <= AGREEMENT:
        raise Refused(f"would predict otherwise as JSON: yhat differs by {apart:.1e} of its maximum")
    return apart


def export(path: Path, out: Path, years: int, stats: object) -> str:
    """Converts one pickle and says what came of it."""
    model = unpickle(path)
    try:
        dates = country_holidays(model, years)
        what = kind(model, dates)
        target = out / (path.stem + ".json")
        apart = write(target, to_text(model, dates), lambda text: verified(model, text))
    except (Refused, OSError):
        raise
    except Exception as error:  # Prophet's own refusals have many types, and so have models that are not what they seem
        raise Refused(f"cannot be converted: {type(error).__name__}: {error}") from error
    sizes = f"{size(path.stat().st_size):>8} -> {size(target.stat().st_size):>7}"
    doubt = f"; trained on other rows than `{STATS}` tells of" if trained_on(stats, model) is False else ""
    return f"{sizes}  yhat {'equal' if apart == 0 else f'within {apart:.0e}':<12}  {what}{doubt}"


def collision(path: Path, variables: list, stats: dict) -> str:
    """Several variables have this file between them: training wrote one model over the other."""
    names = " and ".join(f"`{variable}`" for variable in variables)
    try:
        model = unpickle(path)
        owners = [variable for variable in variables if trained_on(stats.get(variable), model)]
    except Refused:
        owners = []
    whose = f", that of `{owners[0]}` by `{STATS}`" if len(owners) == 1 else ""
    return (
        f"is the file of {names}: training kept one model of these{whose}; leave only its name in the `variables` of "
        f"`{CONFIG}`, and train the other under another name"
    )


def trusted(source: Source, folder: Path, flag: bool) -> bool:
    print(WARNING.format(count=len(source.pickles), folder=folder), flush=True)
    if flag:
        return True
    if not sys.stdin.isatty():
        raise Hopeless("nothing was opened: there is no terminal to ask; say --i-trust-these-files")
    try:
        return input("Type yes to go on: ").strip().lower() == "yes"
    except EOFError:
        return False


def run(arguments) -> int:
    source = Source.read(arguments.pickles)
    if not trusted(source, arguments.pickles, arguments.i_trust_these_files):
        raise Hopeless("nothing was opened")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Hopeless(f"`{arguments.out}` cannot be made: {error}") from error

    owners = {path: source.variables(path) for path in source.pickles}
    width = max(len(" and ".join(variables)) for variables in owners.values())
    before = after = 0
    refused = []
    for path, variables in owners.items():
        said = " and ".join(variables)
        twins = [f"`{other.name}`" for other in owners if other != path and owners[other] == variables]
        try:
            if len(variables) > 1:
                raise Refused(collision(path, variables, source.stats))
            if twins:
                raise Refused(f"and {', '.join(twins)} are both for `{said}`; keep one")
            line = export(path, arguments.out, arguments.years, source.stats.get(said))
            before += path.stat().st_size
            after += (arguments.out / (path.stem + ".json")).stat().st_size
        except (Refused, OSError) as error:
            refused.append(path)
            stays = arguments.out / (path.stem + ".json")
            left = f"; an older `{stays.name}` stays as it was" if stays.exists() else ""
            line = f"REFUSED: `{path.name}` {error}{left}"
        print(f"{said:<{width}}  {line}", flush=True)

    written = len(owners) - len(refused)
    print(f"\n{written} of {len(owners)} models written to `{arguments.out}`: {size(before)} became {size(after)}")
    print_settings(source, arguments, owners)
    if refused:
        print(f"{len(refused)} refused: {', '.join(f'`{path.name}`' for path in refused)}")
    return 1 if refused else 0


def print_settings(source: Source, arguments, owners: dict) -> None:
    """Writes the configuration, and says what the two files beside the pickles were good for."""
    text = source.config_text()
    target = arguments.out / CONFIG
    if text is not None:
        write(target, text)
        names = ", ".join(f"`{name}`" for name in source.added)
        print(f"`{CONFIG}` written, with names that only `{STATS}` has: {names}")
    elif source.config is not None:
        original = arguments.pickles / CONFIG
        if not (target.exists() and target.samefile(original)):
            shutil.copyfile(original, target.with_name(f".{CONFIG}.tmp"))
            os.replace(target.with_name(f".{CONFIG}.tmp"), target)
        print(f"`{CONFIG}` copied")
    else:
        print(f"there is no `{CONFIG}`: each variable is named after its file")
    if source.stats:
        print(f"`{STATS}` used to tell whose training rows a model has; the detector does not need it")
    named = {variable for variables in owners.values() for variable in variables}
    absent = [name for name in (source.config or {}).get("variables") or [] if name not in named]
    if absent:
        print(f"`{CONFIG}` names variables without a pickle: {', '.join(f'`{name}`' for name in absent)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pickles", type=Path, metavar="PICKLES_DIR", help=f"folder with `{PREFIX}*.pkl`")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder for the JSON files; made if it is missing")
    parser.add_argument("--years", type=int, default=10, help="of country holidays, from this year on (default: 10)")
    parser.add_argument("--i-trust-these-files", action="store_true", help="do not ask before opening pickles")
    arguments = parser.parse_args()
    if not 0 <= arguments.years <= 100:
        parser.error(f"--years is {arguments.years}; expected 0 to 100")
    # What goes wrong is raised; the rest is about plots and Stan.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    # A name that the console cannot show does not end the run.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    try:
        return run(arguments)
    except Hopeless as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
