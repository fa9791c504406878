# /// script
# requires-python = ">=3.11"
# dependencies = ["prophet==1.5.0", "cmdstanpy==1.3.2", "numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Fits each column of a wide CSV file with real Prophet, and prints the seconds that each `fit` took.

    uv run models/time_prophet.py SERIES.csv

`just bench-prophet` sets them beside training in the component, on the same rows and with the same settings.
"""

import logging
import sys
import time

import pandas as pd
from prophet import Prophet


def main() -> int:
    logging.disable(logging.WARNING)
    table = pd.read_csv(sys.argv[1], parse_dates=["DATETIME"])
    for variable in table.columns[1:]:
        rows = table.rename(columns={"DATETIME": "ds", variable: "y"})[["ds", "y"]]
        model = Prophet(
            interval_width=0.95, seasonality_mode="multiplicative", daily_seasonality=True, weekly_seasonality=True,
            yearly_seasonality=False,
        )
        begun = time.perf_counter()
        model.fit(rows, seed=1)
        print(time.perf_counter() - begun, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
