# /// script
# requires-python = ">=3.11"
# dependencies = ["prophet==1.5.0", "cmdstanpy==1.3.2", "numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Trains the demo's models with real Prophet on the simulator's own history and writes them to models/demo.

    uv run models/train_demo.py            (or: pipx run models/train_demo.py)

The history comes from `host demo --write-history`, built by cargo; `--history FILE` takes one that is there already. A model is
written without its training rows, which prediction does not need, and only after it was read again and gave the same numbers as the
model in memory. It fails, and leaves what is there, at the first model that does not. Under a minute once cargo has built.
"""

import argparse
import json
import logging
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from prophet import Prophet
from prophet.serialize import model_from_json, model_to_json

HERE = Path(__file__).resolve().parent

# What the detector falls back to where the service's settings say nothing. Both are wider than the 2.0 and 0.95 that people start
# with, on purpose. Noise alone leaves two sigma in 4.6 of 100 readings: with 25 variables every 5 minutes that is 330 alarms a day
# and nobody looks any more. It leaves four sigma in 6 of 100,000, the 99.99 % interval in 10 of 100,000: less than one a day.
CONFIG = {
    "interval_width": 0.9999,
    "anomaly_threshold": 4.0,
    "changepoint_prior_scale": 0.05,
    "seasonality_mode": "additive",
    "daily_seasonality": True,
    "weekly_seasonality": True,
    "yearly_seasonality": False,
}

# What whoever knows the plant would say of it. Their swings grow with their level:
MULTIPLICATIVE = {
    "VAPOR/CAUDAL", "GAS NATURAL/CONSUMO", "POTENCIA/MW", "VIBRACION", "TURBIDEZ-S", "BOMBA-5 CORRIENTE", "CINTA 3/TON",
}
# A controller holds these at a set point, so they have no trend:
HELD = {"GAS_P-2", "TURBINA RPM", "AIRE COMP/P1"}


def file_name(variable: str) -> str:
    return "prophet_model_" + re.sub(r"[/\\ \-]", "_", variable) + ".json"


def read_history(path: Path | None) -> pd.DataFrame:
    if path is not None:
        return pd.read_csv(path, parse_dates=["DATETIME"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        subprocess.run(
            ["cargo", "run", "--quiet", "--package", "host", "--", "demo", "--write-history", str(path)],
            cwd=HERE.parent, check=True,
        )
        return pd.read_csv(path, parse_dates=["DATETIME"])


def train(variable: str, history: pd.DataFrame) -> Prophet:
    model = Prophet(
        growth="flat" if variable in HELD else "linear",
        seasonality_mode="multiplicative" if variable in MULTIPLICATIVE else "additive",
        **{key: CONFIG[key] for key in CONFIG if key not in ("anomaly_threshold", "seasonality_mode")},
    )
    # Stan starts from a seed of its own unless told: the same history shall give the same file.
    return model.fit(history.rename(columns={"DATETIME": "ds", variable: "y"})[["ds", "y"]].astype({"y": float}), seed=1)


def without_history(model: Prophet) -> str:
    """Prophet's own JSON with two training rows instead of all.

    Two, because Prophet reads one thing there: the mean step of the scaled time, for the interval of a request with one
    row. The first two rows of an even grid have the same step. `history_rows` says how many there were; Prophet passes
    over keys that it does not know.
    """
    rows = len(model.history)
    full = model.history, model.history_dates, model.params
    model.history = model.history.head(2)
    model.history_dates = model.history_dates.iloc[[0, -1]].reset_index(drop=True)
    model.params = model.params | {"trend": np.empty((1, 0))}
    text = json.dumps(json.loads(model_to_json(model)) | {"history_rows": rows})
    model.history, model.history_dates, model.params = full
    return text


def check(text: str, model: Prophet, history: pd.DataFrame) -> None:
    """Raises ValueError unless the text predicts what the model does, inside and after training."""
    after = pd.date_range(history["DATETIME"].iloc[-1], periods=300, freq="5min")
    request = pd.DataFrame({"ds": pd.concat([history["DATETIME"].iloc[::1000], pd.Series(after)], ignore_index=True)})
    expected, found = (np.asarray(m.predict(request)["yhat"]) for m in (model, model_from_json(text)))
    worst = np.max(np.abs(found - expected)) / np.max(np.abs(expected))
    if not worst <= 1e-12:
        raise ValueError(f"the file without history predicts otherwise: yhat differs by {worst:.1e} of its maximum")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--history", type=Path, help="wide CSV as `host demo --write-history` writes it")
    parser.add_argument("--out", type=Path, default=HERE / "demo", help="folder for the models (default: models/demo)")
    arguments = parser.parse_args()
    logging.getLogger("cmdstanpy").disabled = True  # two lines a model; what goes wrong is raised as well

    history = read_history(arguments.history)
    variables = [column for column in history.columns if column != "DATETIME"]
    files = {variable: file_name(variable) for variable in variables}
    for name in set(files.values()):
        owners = [variable for variable in variables if files[variable] == name]
        if len(owners) > 1:
            raise ValueError(f"variables {owners} would share the file `{name}`")
    unknown = (MULTIPLICATIVE | HELD) - set(variables)
    if unknown:
        raise ValueError(f"this script speaks of variables that the history does not have: {sorted(unknown)}")

    texts = {}
    for number, variable in enumerate(variables, 1):
        model = train(variable, history)
        texts[files[variable]] = without_history(model)
        check(texts[files[variable]], model, history)
        sigma = float(np.mean(model.params["sigma_obs"])) * model.y_scale
        size = len(texts[files[variable]]) / 1024
        print(f"{number:2} of {len(variables)}  {variable:24} sigma {sigma:10.4f}  {size:4.1f} KB", flush=True)

    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (arguments.out / name).write_text(text + "\n", encoding="utf-8")
    config = json.dumps(CONFIG | {"variables": variables}, indent=2)
    (arguments.out / "detector_config.json").write_text(config + "\n", encoding="utf-8")
    print(f"{len(texts)} models written to {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
