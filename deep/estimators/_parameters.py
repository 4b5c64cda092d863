"""What the docstrings of the estimators have in common."""

PARAMETERS = """
    module : type or torch.nn.Module, default=None
        The network: a class (or any function that returns a module), or a module, which is copied
        and stays as it is. Arguments ``n_inputs`` and ``n_outputs`` of a class are filled in from
        the data if it has them. By default a `ResidualMLP` for tables and a `SmallCNN` for images
        of shape (n, channels, height, width), (n, height, width, channels) with 1, 3 or 4
        channels, or (n, height, width).
    regularizers : list of (str, Regularizer), default=None
        The regularizers by name, asked in this order; None in place of one leaves it out. They are
        cloned in ``fit``. ``set_params`` and grid searches reach ``regularizers__NAME__PARAM``.
    criterion : type or torch.nn.Module, default=None
        The loss; by default {criterion}.
    optimizer : type, default=torch.optim.AdamW
        The optimizer.
    lr : float, default=1e-3
        Learning rate.
    max_epochs : int, default=100
        Number of passes over the data.
    batch_size : int, default=128
        Number of samples in a batch.
    early_stopping : bool, default=False
        Set `validation_fraction` of the data aside, stop when the loss on it has not improved for
        `n_iter_no_change` epochs, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share of the data that early stopping sets aside.
    n_iter_no_change : int, default=10
        Number of epochs that early stopping waits.
    accumulation_steps : int, default=1
        Number of batches whose gradients come together in one step of the optimizer.
    mixed_precision : {{None, "bfloat16", "float16"}}, default=None
        Type of ``torch.autocast`` in the forward pass.
    compile : bool, default=False
        Compile the module with ``torch.compile``.
    standardize : bool or "auto", default="auto"
        Shift and scale the columns of tables and channels of images to mean zero and variance
        one; ``"auto"`` does so for the default network. Numbers are converted to `dtype`, but
        integers stay integers if the module has an ``Embedding`` or ``EmbeddingBag``, unless
        `standardize` is True.{target}
    device : str or torch.device, default="auto"
        Where to compute; ``"auto"`` takes CUDA if it is there, otherwise the CPU.
    dtype : {{"float32", "float64"}}, default="float32"
        Type of inputs and weights.
    callbacks : list, default=None
        skorch callbacks, e.g. ``LRScheduler``, ``Checkpoint``, ``LoadInitState``; cloned in
        ``fit``.
    net_params : dict, default=None
        Further arguments of the net under skorch's names, e.g. ``{{"module__width": 64,
        "optimizer__weight_decay": 0.1}}``; ``set_params(module__width=64)`` adds to it.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last call, as ``partial_fit`` does.
        Parameters are as they are now: another learning rate, batch size, criterion, device,
        dtype, regularizer or callback acts; another optimizer begins without the state of the old
        one; what the network is built from (`module` and its arguments, `compile`,
        standardization) cannot change. A new `random_state` begins new random numbers.
    trainable : list of str, default=None
        Patterns like ``"head.*"`` of names of the module's parameters, as
        ``net_.module_.named_parameters()`` has them; the others are frozen during training, though
        batch normalization goes on to average. None trains all that the module does not freeze.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, shuffling, dropout and the split for early stopping. An integer
        gives the same network again on the CPU; in several threads of one process only without
        dropout. torch's global generator is left alone.
    verbose : int, default=0
        1 prints a line for each epoch, 2 also shows a progress bar (needs tqdm).
"""

ATTRIBUTES = """
    net_ : {net}
        The fitted net.
    history_ : pandas.DataFrame
        Losses, scores and seconds, by epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns, or of channels.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if `X` has any.
"""
