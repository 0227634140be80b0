"""Plots of training and of models, drawn by matplotlib: ``pip install "clearprop[plot]"``.

Every plot takes ``axes=`` and returns the Axes, to go on with: ``axes.set_title("...")``,
``axes.figure.savefig("curves.png")``. Without ``axes=`` it is drawn on a figure of its own. A notebook shows that under
the cell; a script saves it; no window opens, and nothing has to be closed. (For a window, and for pyplot's other ways,
give it an Axes of pyplot: ``axes=plt.gca()``.)

>>> from viz import plots
>>> axes = plots.learning_curves({"loss": [2.0, 0.9, 0.5], "validation_loss": [2.1, 1.0, 0.8]})
>>> axes.get_xlabel(), axes.get_ylabel()
('epoch', 'loss')
"""

from viz.plots.activations import activation
from viz.plots.boundary import decision_boundary
from viz.plots.confusion import confusion_matrix
from viz.plots.distributions import histograms
from viz.plots.landscape import loss_surface
from viz.plots.learning import learning_curves
from viz.plots.series import forecast
from viz.plots.trajectory import Trajectory

__all__ = [
    "Trajectory",
    "activation",
    "confusion_matrix",
    "decision_boundary",
    "forecast",
    "histograms",
    "learning_curves",
    "loss_surface",
]
