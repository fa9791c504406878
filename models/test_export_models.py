# /// script
# requires-python = ">=3.11"
# dependencies = ["prophet==1.5.0", "cmdstanpy==1.3.2", "numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Runs export_models.py as a program on pickles of models that real Prophet trains here.

    uv run models/test_export_models.py      (or: python models/test_export_models.py, where the four packages are installed)

The models are small; training them all takes some seconds.
"""

import json
import logging
import operator
import os
import pickle
import re
import subprocess
import sys
import tempfile
import unittest
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from prophet import Prophet
from prophet.make_holidays import make_holidays_df
from prophet.serialize import model_from_json, model_to_json

TOOL = Path(__file__).resolve().parent / "export_models.py"
TRUST = "--i-trust-these-files"
logging.disable(logging.CRITICAL)

ROWS = 120
HISTORY = pd.DataFrame({"ds": pd.date_range("2023-11-20", periods=ROWS, freq="D")})
DAYS = np.arange(ROWS)
HISTORY["y"] = 20.0 + 0.05 * DAYS + 3.0 * np.sin(2 * np.pi * DAYS / 7) + np.random.default_rng(1).normal(0, 0.4, ROWS)


def fit(model: Prophet, **columns) -> Prophet:
    return model.fit(HISTORY.assign(**columns), seed=1)


def prophet(**settings) -> Prophet:
    return Prophet(**{"yearly_seasonality": False, "daily_seasonality": False, "n_changepoints": 3} | settings)


def linear() -> Prophet:
    return fit(prophet(seasonality_mode="multiplicative"))


def logistic() -> Prophet:
    return fit(prophet(growth="logistic"), cap=40.0 + 0.01 * DAYS, floor=2.0)


def minmax() -> Prophet:
    return fit(prophet(growth="flat", scaling="minmax"), y=(10 * HISTORY["y"]).astype(int))


def holidays() -> Prophet:
    own = pd.DataFrame({"holiday": "revisión", "ds": pd.to_datetime(["2023-12-11", "2024-02-05"]), "lower_window": -1, "upper_window": 1})
    return fit(prophet(holidays=own).add_country_holidays("US"))


def regressor() -> Prophet:
    model = prophet(weekly_seasonality=False).add_regressor("FLOW", mode="multiplicative")
    model.add_seasonality("shift", period=7, fourier_order=2, condition_name="on")
    return fit(model, FLOW=100 + 5.0 * np.cos(DAYS), on=DAYS % 3 == 0)


def sampled() -> Prophet:
    model = prophet(mcmc_samples=40)
    return model.fit(HISTORY, seed=1, chains=1, show_progress=False)


def constant() -> Prophet:
    return fit(prophet(), y=7.0)


def stats(y: pd.Series) -> dict:
    """What the Python worker's trainer writes."""
    return {"mean": y.mean(), "std": y.std(), "min": y.min(), "max": y.max(), "n_points": len(y)}


class Export(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        makers = (linear, logistic, minmax, holidays, regressor, sampled, constant)
        cls.models = {maker.__name__: pickle.dumps(maker()) for maker in makers}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pickles, self.out = Path(folder.name) / "pickles", Path(folder.name) / "out"
        self.pickles.mkdir()

    def put(self, **models):
        """Writes pickles; text names a model, anything else is pickled."""
        for name, model in models.items():
            octets = self.models[model] if isinstance(model, str) else pickle.dumps(model)
            (self.pickles / f"prophet_model_{name}.pkl").write_bytes(octets)

    def model(self, name: str) -> Prophet:
        return pickle.loads(self.models[name])

    def put_json(self, name: str, value):
        (self.pickles / name).write_text(json.dumps(value), encoding="utf-8")

    def tool(self, *flags: str, stdin=subprocess.DEVNULL) -> tuple[int, str]:
        """Exit code and what was said; sizes, differences and folders are replaced, because they differ between machines."""
        command = [sys.executable, str(TOOL), str(self.pickles), str(self.out), *flags]
        done = subprocess.run(
            command, stdin=stdin, capture_output=True, text=True, encoding="utf-8", env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )
        self.assertNotIn("Traceback", done.stderr)
        said = done.stdout + done.stderr
        said = re.sub(r"(.{8}) -> (.{7})(?=  yhat)", "SIZE -> SIZE", said)
        said = re.sub(r"[0-9.]+ [KM]B", "SIZE", said)
        said = re.sub(r"yhat (equal|within \de-1[3-9]) *", "yhat SAME ", said)
        said = said.replace(str(self.pickles), "IN").replace(str(self.out), "OUT")
        return done.returncode, said

    def written(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(self.out.iterdir())} if self.out.exists() else {}

    def warning(self, count: int) -> str:
        return (
            "Opening a pickle runs the code in it. A file from someone else can do on this machine whatever you can.\n"
            f"Go on only if you know who made the {count} files in `IN`.\n"
        )

    def test_every_kind_of_model(self):
        names = {"A/FLOW-1": "linear", "B": "logistic", "C D": "minmax", "E": "holidays", "F": "regressor", "G": "sampled", "H": "constant"}
        self.put(A_FLOW_1="linear", B="logistic", C_D="minmax", E="holidays", F="regressor", G="sampled", H="constant")
        config = {"interval_width": 0.9, "variables": list(names)}
        self.put_json("detector_config.json", config)
        until = date.today().year + 3
        self.assertEqual(self.tool(TRUST, "--years", "3"), (0, self.warning(7) + f"""\
A/FLOW-1  SIZE -> SIZE  yhat SAME linear, weekly x
B         SIZE -> SIZE  yhat SAME logistic, weekly; needs cap, floor
C D       SIZE -> SIZE  yhat SAME flat minmax, weekly
E         SIZE -> SIZE  yhat SAME linear, weekly, holidays, US holidays 2023-{until}
F         SIZE -> SIZE  yhat SAME linear, shift; needs FLOW, on
G         SIZE -> SIZE  yhat SAME linear, weekly, 20 MCMC draws
H         SIZE -> SIZE  yhat SAME linear, weekly

7 of 7 models written to `OUT`: SIZE became SIZE
`detector_config.json` copied
"""))
        written = self.written()
        files = {f"prophet_model_{re.sub('[/ -]', '_', name)}.json": model for name, model in names.items()}
        self.assertEqual(sorted(written), sorted([*files, "detector_config.json"]))
        self.assertEqual(json.loads(written.pop("detector_config.json")), config)
        for file, text in written.items():
            with self.subTest(file):
                self.complete_without_history(self.model(files[file]), text)

    def complete_without_history(self, model: Prophet, text: str):
        document = json.loads(text)
        self.assertEqual(document.pop("history_rows"), ROWS)
        dates = document.pop("country_holiday_dates", None)
        if model.country_holidays is None:
            self.assertIsNone(dates)
        else:
            table = make_holidays_df(list(range(2023, date.today().year + 4)), "US")
            expected = sorted([str(ds)[:10], name] for ds, name in zip(table["ds"], table["holiday"]))
            self.assertEqual(dates, expected)
        history = json.loads(document.pop("history"))["data"]
        self.assertEqual([row["ds"][:10] for row in history], ["2023-11-20", "2023-11-21"])
        self.assertEqual(len(json.loads(document.pop("history_dates"))["data"]), 2)
        params = document.pop("params")
        self.assertEqual(params.pop("trend"), [[]])
        # All the rest is as Prophet writes it.
        model.y_min = float(model.y_min)
        full = json.loads(model_to_json(model))
        self.assertEqual(params, {key: full["params"][key] for key in ("k", "m", "delta", "sigma_obs", "beta")})
        for key in ("history", "history_dates", "params"):
            del full[key]
        self.assertEqual(document, full | {"fit_kwargs": {}})
        # And Prophet predicts with it, at days that the tool did not compare.
        future = pd.DataFrame({"ds": pd.date_range("2024-04-01T07:13", periods=50, freq="31h")})
        future = future.assign(cap=50.0, floor=2.0, FLOW=np.linspace(80, 120, 50), on=np.arange(50) % 2 == 0)
        model.uncertainty_samples = 0
        expected, found = (m.predict(future)["yhat"].to_numpy() for m in (model, self.read(text)))
        self.assertLess(np.max(np.abs(found - expected)) / np.max(np.abs(expected)), 1e-12)

    def read(self, text: str) -> Prophet:
        model = model_from_json(text)
        model.uncertainty_samples = 0
        return model

    def test_the_interval_of_one_row_keeps_its_step(self):
        uneven = HISTORY.drop(index=[1, 2, 3, 4, 5, 50])
        self.put(A=prophet().fit(uneven, seed=1))
        self.tool(TRUST)
        t = [row["t"] for row in json.loads(json.loads(self.written()["prophet_model_A.json"])["history"])["data"]]
        self.assertEqual(t, [0.0, round(1 / (len(uneven) - 1), 10)])

    def test_what_cannot_be_converted_is_refused_and_the_others_go_on(self):
        broken = self.model("linear")
        broken.params["k"] = np.array([[np.nan]])
        renamed = self.model("holidays")
        names = renamed.train_holiday_names
        renamed.train_holiday_names = names.where(names != "Christmas Day", "Xmas")
        # A model whose code gives another trend than its numbers: what is read back cannot agree.
        otherwise = self.model("linear")
        otherwise.predict_trend = operator.itemgetter("t")
        self.put(A="linear", B={"model": 1}, C=prophet(), D=broken, E=renamed, F=otherwise, H="constant")
        (self.pickles / "prophet_model_G.pkl").write_bytes(self.models["linear"][:1000])
        self.out.mkdir()
        (self.out / "prophet_model_D.json").write_text("older", encoding="utf-8")
        code, said = self.tool(TRUST)
        said = re.sub(r"`holidays` [\d.]+ ", "`holidays` VERSION ", said)
        said = re.sub(r"by \d\.\de[+-]\d+ of", "by MUCH of", said)
        said = re.sub(r"(VALUE|JSON compliant).*?; an older", r"\1; an older", said)
        self.assertEqual((code, said), (1, self.warning(8) + """\
A  SIZE -> SIZE  yhat SAME linear, weekly x
B  REFUSED: `prophet_model_B.pkl` holds a `builtins.dict`, not a Prophet model
C  REFUSED: `prophet_model_C.pkl` holds a Prophet model that was never trained
D  REFUSED: `prophet_model_D.pkl` cannot be converted: ValueError: Out of range float values are not JSON compliant; an older `prophet_model_D.json` stays as it was
E  REFUSED: `prophet_model_E.pkl` was trained with holidays that the package `holidays` VERSION does not have in 2023 to 2024: `Xmas`; run this with the Python that trained it
F  REFUSED: `prophet_model_F.pkl` would predict otherwise as JSON: yhat differs by MUCH of its maximum
G  REFUSED: `prophet_model_G.pkl` cannot be opened: UnpicklingError: pickle data was truncated
H  SIZE -> SIZE  yhat SAME linear, weekly

2 of 8 models written to `OUT`: SIZE became SIZE
there is no `detector_config.json`: each variable is named after its file
6 refused: `prophet_model_B.pkl`, `prophet_model_C.pkl`, `prophet_model_D.pkl`, `prophet_model_E.pkl`, `prophet_model_F.pkl`, `prophet_model_G.pkl`
"""))
        written = self.written()
        self.assertEqual(list(written), ["prophet_model_A.json", "prophet_model_D.json", "prophet_model_H.json"])
        self.assertEqual(written["prophet_model_D.json"], "older")

    def test_a_collision_names_both_and_overwrites_nothing(self):
        self.put(A_B="linear", C="constant")
        self.put_json("detector_config.json", {"variables": ["A_B", "C", "A/B", "gone"]})
        other = stats(HISTORY["y"] + 1)
        self.put_json("variable_stats.json", {"A/B": other, "A_B": stats(HISTORY["y"]), "C": other})
        self.out.mkdir()
        (self.out / "prophet_model_A_B.json").write_text("older", encoding="utf-8")
        self.assertEqual(self.tool(TRUST), (1, self.warning(2) + """\
A/B and A_B  REFUSED: `prophet_model_A_B.pkl` is the file of `A/B` and `A_B`: training kept one model of these, that of `A_B` by `variable_stats.json`; leave only its name in the `variables` of `detector_config.json`, and train the other under another name; an older `prophet_model_A_B.json` stays as it was
C            SIZE -> SIZE  yhat SAME linear, weekly; trained on other rows than `variable_stats.json` tells of

1 of 2 models written to `OUT`: SIZE became SIZE
`detector_config.json` copied
`variable_stats.json` used to tell whose training rows a model has; the detector does not need it
`detector_config.json` names variables without a pickle: `gone`
1 refused: `prophet_model_A_B.pkl`
"""))
        self.assertEqual(self.written()["prophet_model_A_B.json"], "older")

    def test_two_files_of_one_variable_are_refused(self):
        self.put(**{"A_B": "linear", "A B": "constant"})
        self.put_json("detector_config.json", {"variables": ["A B"]})
        self.assertEqual(self.tool(TRUST), (1, self.warning(2) + """\
A B  REFUSED: `prophet_model_A B.pkl` and `prophet_model_A_B.pkl` are both for `A B`; keep one
A B  REFUSED: `prophet_model_A_B.pkl` and `prophet_model_A B.pkl` are both for `A B`; keep one

0 of 2 models written to `OUT`: SIZE became SIZE
`detector_config.json` copied
2 refused: `prophet_model_A B.pkl`, `prophet_model_A_B.pkl`
"""))

    def test_names_that_only_the_stats_have_are_added_to_the_configuration(self):
        self.put(A_B="linear", C="constant")
        self.put_json("detector_config.json", {"anomaly_threshold": 3.0, "variables": ["C"]})
        self.put_json("variable_stats.json", {"A/B": stats(HISTORY["y"]), "unused": {}})
        self.assertEqual(self.tool(TRUST), (0, self.warning(2) + """\
A/B  SIZE -> SIZE  yhat SAME linear, weekly x
C    SIZE -> SIZE  yhat SAME linear, weekly

2 of 2 models written to `OUT`: SIZE became SIZE
`detector_config.json` written, with names that only `variable_stats.json` has: `A/B`
`variable_stats.json` used to tell whose training rows a model has; the detector does not need it
"""))
        config = json.loads(self.written()["detector_config.json"])
        self.assertEqual(config, {"anomaly_threshold": 3.0, "variables": ["C", "A/B"]})

    def test_a_model_of_an_older_prophet(self):
        older = self.model("linear")
        for attribute in ("scaling", "y_min", "holidays_mode"):  # since 1.1.5
            delattr(older, attribute)
        self.put(A=older)
        code, _ = self.tool(TRUST)
        self.assertEqual(code, 0)
        document = json.loads(self.written()["prophet_model_A.json"])
        found = {key: document[key] for key in ("scaling", "y_min", "holidays_mode")}
        self.assertEqual(found, {"scaling": "absmax", "y_min": 0.0, "holidays_mode": "multiplicative"})

    def test_a_second_run_gives_the_same_files_in_the_same_folder(self):
        self.put(A="linear", E="holidays")
        self.put_json("detector_config.json", {"variables": ["A", "E"]})
        self.out = self.pickles
        self.assertEqual(self.tool(TRUST)[0], 0)
        first = {path.name: path.read_bytes() for path in self.out.iterdir()}
        self.assertEqual(self.tool(TRUST)[0], 0)
        self.assertEqual({path.name: path.read_bytes() for path in self.out.iterdir()}, first)

    def test_nothing_is_opened_before_someone_says_so(self):
        opened = self.pickles / "opened"

        class Code:
            def __reduce__(self):
                return os.mkdir, (str(opened),)

        self.put(A=Code())
        self.assertEqual(self.tool(), (
            2, self.warning(1) + "error: nothing was opened: there is no terminal to ask; say --i-trust-these-files\n",
        ))
        self.assertEqual((opened.exists(), self.out.exists()), (False, False))
        # The warning is true.
        code, said = self.tool(TRUST)
        self.assertEqual((code, opened.exists()), (1, True))
        self.assertIn("REFUSED: `prophet_model_A.pkl`", said)

    @unittest.skipUnless(hasattr(os, "openpty"), "no pseudo-terminals here")
    def test_on_a_terminal_it_asks(self):
        self.put(A="constant")
        for answer, expected in (("no", (2, False)), ("", (2, False)), ("yes", (0, True))):
            with self.subTest(answer):
                ours, theirs = os.openpty()
                self.addCleanup(os.close, ours)
                os.write(ours, f"{answer}\n".encode())
                code, said = self.tool(stdin=theirs)
                os.close(theirs)
                self.assertIn("Type yes to go on: ", said)
                self.assertEqual((code, "prophet_model_A.json" in self.written()), expected)

    def test_what_cannot_be_begun(self):
        for files, expected in (
            ({}, "error: `IN` has no `prophet_model_*.pkl`\n"),
            ({"prophet_model_A.pkl": "", "detector_config.json": "[]"}, "error: `IN/detector_config.json` is no JSON object\n"),
            ({"detector_config.json": '{"variables": "A"}'}, "error: `IN/detector_config.json`: `variables` is no list of names\n"),
            ({"detector_config.json": "{}", "variable_stats.json": "[]"}, "error: `IN/variable_stats.json` is no JSON object\n"),
        ):
            for name, text in files.items():
                (self.pickles / name).write_text(text, encoding="utf-8")
            with self.subTest(expected):
                self.assertEqual(self.tool(TRUST), (2, expected.replace("/", os.sep)))
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # of pandas about Prophet
