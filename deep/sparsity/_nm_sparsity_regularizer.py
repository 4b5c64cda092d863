"""N:M sparsity in the training step."""

from typing import Any, Literal, Self

import torch
from torch import nn

from skreg._warnings import warn

from ..frame._frozen_copy import bare
from ..frame._regularizer import Batch, Net, Regularizer
from ._masks import Layers, masked_weights
from ._nm_sparsity import NMSparsity as SparseWeight
from ._nm_sparsity import (
    Pattern,
    Recipe,
    apply_nm_sparsity,
    nm_beta,
    nm_pattern,
    pruned_energy,
)

ALMOST_NOTHING = 0.05  # a factor at the end that short trainings cannot help


class NMSparsity(Regularizer):
    """Keeps n of every m successive weights while it trains (Bambhaniya et al. 2024).

    The dense weights are trained through `skreg.deep.torch.NMSparsity`, with a straight-through
    gradient; by default what is masked counts less and less, down to nothing in the last tenth of
    the planned training. Predictions are those of weights that have the pattern exactly, also when
    training ended early. `skreg.deep.torch.finalize_nm_sparsity` turns the weights of
    ``net.module_`` into plain parameters for export.

    Parameters
    ----------
    n : int, default=2
        Weights that are kept in each group.
    m : int, default=4
        Size of a group.
    recipe : str, default="mdgf-exp"
        "ste", the straight-through estimator; "srste", which also shrinks what is masked (Zhou et
        al. 2021); "mdgf-linear" and "mdgf-exp", mask decay; "sdgf-step" and "sdgf-geometric",
        structure decay. The paper finds "mdgf-exp" best where less than a fifth of the weights is
        kept; "srste" needs no plan of the training.
    decay_coef : float or "auto", default="auto"
        Constant of the mask decay in each step; "auto" makes it end with the planned training.
    srste_lambda : float, default=2e-4
        Strength of the penalty on what is masked, for "srste".
    dim : {0, 1}, default=1
        Axis along which groups lie: 1 the inputs (channels) of a layer, 0 its outputs.
    gradient : {"ste", "masked"}, default="ste"
        Whether masked weights get the gradient as it is, or multiplied by the factor that they
        have.
    dense_fraction : float, default=0.0
        Share of the planned training before weights are masked.
    finetune_fraction : float, default=0.1
        Share of the planned training with the final pattern and without what is masked.
    layers : {"all", "hidden"}, str, list of str or callable, default="hidden"
        The layers, as for `skreg.deep.torch.choose_weights`: all but the first and the last.

    Attributes
    ----------
    pattern_ : (int, int)
        Present pattern.
    beta_ : float
        Present factor of masked weights.
    pattern_history_ : list of (int, (int, int))
        Steps at which the pattern changed, and to which, since the net was initialized.
    sparsity_ : float
        Share of the weights of these layers that the present pattern masks.

    Warns
    -----
    UserWarning
        If training ends before the schedule does, so that predictions are those of another network
        than the one that was trained.

    References
    ----------
    .. [1] A. Bambhaniya, A. Yazdanbakhsh, S. Subramanian, S.-C. Kao, S. Agrawal, U. Evci,
       T. Krishna, "Progressive Gradient Flow for Robust N:M Sparsity Training in Transformers",
       CPAL 2025.
    .. [2] A. Zhou, Y. Ma, J. Zhu, J. Liu, Z. Zhang, K. Yuan, W. Sun, H. Li, "Learning N:M
       Fine-grained Structured Sparse Neural Networks From Scratch", ICLR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import NMSparsity
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("nm", NMSparsity(1, 8))], max_epochs=20, random_state=0
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    layers: Any  # chooses weights, no features
    wanted_layers = ()
    fixed = ("n", "m", "recipe", "dim", "gradient", "layers")

    def __init__(
        self,
        n: int = 2,
        m: int = 4,
        recipe: Recipe = "mdgf-exp",
        *,
        decay_coef: float | Literal["auto"] = "auto",
        srste_lambda: float = 2e-4,
        dim: Literal[0, 1] = 1,
        gradient: Literal["ste", "masked"] = "ste",
        dense_fraction: float = 0.0,
        finetune_fraction: float = 0.1,
        layers: Layers = "hidden",
    ) -> None:
        self.n = n
        self.m = m
        self.recipe: Recipe = recipe
        self.decay_coef: float | Literal["auto"] = decay_coef
        self.srste_lambda = srste_lambda
        self.dim: Literal[0, 1] = dim
        self.gradient: Literal["ste", "masked"] = gradient
        self.dense_fraction = dense_fraction
        self.finetune_fraction = finetune_fraction
        self.layers = layers

    def initialize(self) -> Self:
        settings = self.get_params()
        del settings["layers"]
        SparseWeight(**settings)
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Parametrize the weights of the layers."""
        apply_nm_sparsity(
            module,
            self.n,
            self.m,
            self.recipe,
            srste_lambda=0.0,  # the penalty below, which is scaled as the loss is
            dim=self.dim,
            gradient=self.gradient,
            layers=self.layers,
        )
        self.pattern_history_: list[tuple[int, Pattern]] = []

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Follow the schedule, and leave the inputs alone."""
        phases = {
            "dense_fraction": self.dense_fraction,
            "finetune_fraction": self.finetune_fraction,
        }
        pattern = nm_pattern(batch.progress, self.n, self.m, self.recipe, **phases)
        beta = nm_beta(
            batch.step, batch.progress, self.recipe, decay_coef=self.decay_coef, **phases
        )
        for _, part in masked_weights(bare(net.module_), SparseWeight):
            part.set_stage(pattern, beta)
        self._note(pattern, beta)
        if not self.pattern_history_ or self.pattern_history_[-1][1] != pattern:
            self.pattern_history_.append((batch.step, pattern))
        return X

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """What SR-STE takes from masked weights."""
        if self.recipe != "srste" or not self.srste_lambda or not self.sparsity_:
            return None
        return self.srste_lambda * pruned_energy(bare(net.module_))

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Take the final pattern, and tell if that is another than the trained one."""
        parts = [part for _, part in masked_weights(module, SparseWeight)]
        (kept, size), beta = parts[0].pattern_, parts[0].beta_
        if net.history and ((kept, size) != (self.n, self.m) or beta > ALMOST_NOTHING):
            warn(
                f"NMSparsity trained with {kept}:{size} weights and {beta:.2g} of those outside of "
                f"the mask, but predicts with {self.n}:{self.m} and none: the weights are from "
                "before the end of the schedule; plan fewer epochs, raise finetune_fraction, or "
                "train on"
            )
        for part in parts:
            part.hold()
        self._note((self.n, self.m), 0.0)

    def _note(self, pattern, beta):
        self.pattern_, self.beta_ = pattern, beta
        self.sparsity_ = 1 - pattern[0] / pattern[1]
