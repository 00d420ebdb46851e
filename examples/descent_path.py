"""Watch a descent: as a table, as a picture, and as an animation.

    python examples/descent_path.py

The exam marks of five students go up with the hours that they studied. Gradient descent
fits a line to them, and is recorded; the path of coefficient and intercept over the
contours of the loss is drawn into descent_path.png and descent_path.gif, in the folder
that the command is run in.
"""

import pandas as pd
from matplotlib.figure import Figure

from skgd import DescentPathDisplay, GDLinearRegressor
from skgd.callback import DescentHistory

TABLE = pd.DataFrame(
    {"hours": [1.0, 2.0, 4.0, 5.0, 7.0], "mark": [52.0, 55.0, 61.0, 70.0, 77.0]}
)


def main() -> None:
    X, y = TABLE[["hours"]], TABLE["mark"]
    history = DescentHistory(record=["loss", "gradient_norm", "coef", "intercept"])
    model = GDLinearRegressor(learning_rate=0.04, max_iter=60, tol=None)
    model.set_callbacks(history).fit(X, y)

    print(history.to_frame().loc[[0, 1, 2, 3, 10, 30, 60]].round(3).to_string())
    print(f"\nthe model: mark = {model.intercept_:.2f} + {model.coef_[0]:.2f} hours")

    ax = Figure(figsize=(6, 4), layout="constrained").subplots()
    display = DescentPathDisplay.from_history(history, X, y, ax=ax)
    display.figure_.savefig("descent_path.png", dpi=120)
    ax = Figure(figsize=(4.5, 3.2), dpi=70, layout="constrained").subplots()
    display.animate(ax, n_frames=24).save("descent_path.gif", writer="pillow")
    print("drawn: descent_path.png and descent_path.gif")


if __name__ == "__main__":
    main()
