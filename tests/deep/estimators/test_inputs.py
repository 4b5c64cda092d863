"""What users bring: data sets, dicts, tokens, images, validation data of their own, devices."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import SliceDict, predefined_split
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from skreg.deep import DeepAutoencoder, DeepClassifier, DeepRegressor, IndexedDataset, SmallCNN

SMALL = {"lr": 0.01, "max_epochs": 3, "random_state": 0}
X, y = load_iris(return_X_y=True)
X32 = X.astype("float32")
NAMES = np.array(["setosa", "versicolor", "virginica"])


class Linear(nn.Module):
    def __init__(self, n_inputs=4, n_outputs=3):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, X):
        return self.layer(X)


class Pairs(Dataset):
    """A data set that holds no arrays."""

    def __init__(self, X, y):
        self.X_, self.y_ = X, y

    def __len__(self):
        return len(self.X_)

    def __getitem__(self, i):
        return self.X_[i], self.y_[i]


@pytest.fixture(scope="module")
def expected():
    return DeepClassifier(Linear, **SMALL).fit(X32, y).predict_proba(X32)


# data sets and dicts


@pytest.mark.parametrize(
    ("dataset", "labels"),
    [
        (TensorDataset(torch.as_tensor(X32), torch.as_tensor(y)), None),
        (TensorDataset(torch.as_tensor(X32)), y),
        (TensorDataset(torch.as_tensor(X32), torch.zeros(150)), y),
        (SkorchDataset(X, y), None),
        (Subset(SkorchDataset(np.repeat(X, 2, 0), np.repeat(y, 2)), range(0, 300, 2)), None),
        (Pairs(torch.as_tensor(X32), y), None),
        (Pairs(X, y), None),
        (Subset(Pairs(X, y), range(150)), None),
        ({"X": X}, y),
        ({"X": torch.as_tensor(X32)}, y),
    ],
)
def test_other_containers_give_the_network_of_arrays(expected, dataset, labels):
    model = DeepClassifier(Linear, **SMALL).fit(dataset, labels)
    np.testing.assert_allclose(model.predict_proba(dataset), expected, atol=1e-6)
    if not isinstance(dataset, dict):
        np.testing.assert_allclose(model.predict_proba(X32), expected, atol=1e-6)


@pytest.mark.parametrize("Container", [SkorchDataset, Pairs])
def test_labels_and_weights_of_data_sets(Container):
    weight = np.arange(150) % 3 * 1.0
    data = Container(X32, NAMES[y])
    model = DeepClassifier(Linear, **SMALL).fit(data, None, sample_weight=weight)
    plain = DeepClassifier(Linear, **SMALL).fit(X32, NAMES[y], sample_weight=weight)
    assert model.classes_.tolist() == NAMES.tolist()
    np.testing.assert_allclose(model.predict_proba(data), plain.predict_proba(X), atol=1e-6)
    assert (model.predict(data) == plain.predict(X)).all()


def test_targets_of_data_sets_are_standardized():
    target = 1e3 * X[:, 0] + 5e3
    plain = DeepRegressor(Linear, **SMALL).fit(X[:, 1:], target)
    data = Pairs(X[:, 1:], target)
    model = DeepRegressor(Linear, **SMALL).fit(data)
    np.testing.assert_allclose(model.predict(data), plain.predict(X[:, 1:]), rtol=1e-5)


def test_the_default_network_takes_data_sets_that_hold_arrays():
    data = TensorDataset(torch.as_tensor(X32), torch.as_tensor(y))
    model = DeepClassifier(**SMALL).fit(data)
    plain = DeepClassifier(**SMALL).fit(X32, y)
    np.testing.assert_array_equal(model.predict_proba(data), plain.predict_proba(X32))
    assert model.n_features_in_ == 4


def test_a_dict_in_a_grid_search():
    search = GridSearchCV(DeepClassifier(Linear, **SMALL), {"lr": [1e-9, 0.1]}, cv=2)
    assert search.fit(SliceDict(X=X32), y).best_params_ == {"lr": 0.1}


class TwoParts(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.table = nn.Embedding(9, 4)
        self.layer = nn.Linear(6, n_outputs)

    def forward(self, words, numbers):
        return self.layer(torch.cat([self.table(words).mean(1), numbers], 1))


def test_a_dict_of_words_and_numbers():
    rng = np.random.default_rng(0)
    words, numbers = rng.integers(0, 9, (200, 3)).astype("int8"), rng.normal(size=(200, 2))
    label = (words == 4).any(1) | (numbers[:, 0] > 1.0)
    data = {"words": words, "numbers": numbers}
    model = DeepClassifier(TwoParts, lr=0.05, max_epochs=25, random_state=0).fit(data, label)
    assert model.score(data, label) > 0.95
    assert not hasattr(model, "n_features_in_")
    model.partial_fit(data, label, sample_weight=np.arange(200) % 2)
    for part in data.values():
        part.setflags(write=False)
    model.partial_fit(data, label)
    with pytest.raises(ValueError, match="same number of rows"):
        model.predict({"words": words, "numbers": numbers[:9]})
    with pytest.raises(ValueError, match=r"X must have shape \(n, \{'words'"):
        model.predict({"words": words[:, :2], "numbers": numbers})
    with pytest.raises(ValueError, match=r"X\['numbers'\] contains NaN"):
        model.fit({"words": words, "numbers": np.full((200, 2), np.nan)}, label)


class Samples(IterableDataset):
    def __iter__(self):
        return iter(zip(X32, y, strict=True))


@pytest.mark.parametrize(
    ("model", "data", "labels", "words"),
    [
        (DeepClassifier(Linear), Samples(), None, "an IterableDataset has neither a length"),
        (DeepClassifier(), {"X": X}, y, "takes tables and images as arrays, got a dict"),
        (DeepClassifier(), Pairs(X, y), None, "got a Pairs: give a module"),
        (DeepClassifier(Linear, standardize=True), {"X": X}, y, "needs X as one array, got a dict"),
        (DeepClassifier(Linear), {"X": X}, None, "requires y to be passed"),
        (DeepClassifier(Linear), {"X": X[:0]}, y[:0], "same number of rows, one or more"),
        (DeepClassifier(Linear), IndexedDataset(Pairs(X, y)), None, "numbers as sample_index"),
        (DeepClassifier(Linear), {}, y, "same number of rows, one or more"),
        (DeepClassifier(Linear), Pairs([], []), None, "without samples"),
        (DeepClassifier(Linear), TensorDataset(*3 * [torch.ones(9, 4)]), y[:9], "got 3 parts"),
        (DeepClassifier(Linear), TensorDataset(torch.as_tensor(X)), None, "requires y"),
        (DeepClassifier(Linear), {"X": X}, y[:7], "inconsistent numbers of samples"),
    ],
)
def test_containers_that_cannot_be_meant(model, data, labels, words):
    with pytest.raises(ValueError, match=words):
        model.fit(data, labels)


# tokens and integers


class Words(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.table = nn.Embedding(50, n_outputs)

    def forward(self, X):
        return self.table(X).sum(1)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_tokens_are_looked_up(dtype):
    words = np.random.default_rng(0).integers(0, 50, (300, 6)).astype(dtype)
    label = (words < 10).any(1)
    model = DeepClassifier(Words, lr=0.2, max_epochs=10, random_state=0).fit(words, label)
    assert model.score(words, label) > 0.95
    table = model.net_.module_.table.weight.detach().numpy()
    logits = table[words].sum(1)  # an embedding is a table
    odds = np.log(model.predict_proba(words))
    np.testing.assert_allclose(odds[:, 1] - odds[:, 0], logits[:, 1] - logits[:, 0], atol=1e-3)


def test_integers_are_numbers_for_layers_that_multiply():
    whole = np.round(10 * X).astype(int)
    models = [DeepClassifier(Linear, **SMALL).fit(data, y) for data in (whole, whole * 1.0)]
    np.testing.assert_array_equal(*(model.predict_proba(whole) for model in models))


# images


def photos(n=40, shape=(8, 9, 3)):
    return np.random.default_rng(0).integers(0, 255, (n, *shape), dtype=np.uint8), np.arange(n) % 2


def test_images_with_channels_last_are_those_with_channels_first():
    last, label = photos()
    first = np.moveaxis(last, 3, 1)
    options = {**SMALL, "max_epochs": 1, "net_params": {"module__width": 8}}
    model = DeepClassifier(**options).fit(last, label)
    same = DeepClassifier(**options).fit(first, label)
    assert model.net_.module_.stem.in_channels == model.n_features_in_ == 3
    np.testing.assert_array_equal(model.predict_proba(last), same.predict_proba(first))
    nested = DeepClassifier(**options).fit(last.tolist(), label)
    np.testing.assert_array_equal(
        nested.predict_proba(torch.as_tensor(last)), same.predict_proba(first)
    )
    with pytest.raises(ValueError, match="X has 2 features, but DeepClassifier is expecting 3"):
        model.predict(last[..., :2])


@pytest.mark.parametrize("shape", [(3, 8, 3), (1, 4, 4), (16, 4, 4), (3, 4, 4)])
def test_images_that_may_be_either_are_not_guessed(shape):
    images, label = photos(shape=shape)
    with pytest.raises(ValueError, match="give module=SmallCNN"):
        DeepClassifier().fit(images, label)
    options = {**SMALL, "max_epochs": 1, "net_params": {"module__width": 8}}
    model = DeepClassifier(SmallCNN, standardize=True, **options).fit(images, label)
    assert model.n_features_in_ == model.net_.module_.stem.in_channels == shape[0]


# validation data


FAR = X * 1000 + 5000
ODD = np.arange(150) % 2 == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("how", ["X_val", "arrays", "data set"])
def test_validation_data_are_prepared_as_the_training_data(how, dtype):
    model = DeepClassifier(**{**SMALL, "max_epochs": 6}, early_stopping=True, dtype=dtype)
    given = {"X_val": FAR[ODD], "y_val": NAMES[y[ODD]]} if how == "X_val" else {}
    if how != "X_val":
        Container = SkorchDataset if how == "arrays" else _tensors
        own = predefined_split(Container(FAR[ODD], NAMES[y[ODD]] if how == "arrays" else y[ODD]))
        model.net_params = {"train_split": own}
    labels = y if how == "data set" else NAMES[y]
    model.fit(FAR[~ODD], labels[~ODD], **given)
    wanted = log_loss(labels[ODD], model.predict_proba(FAR[ODD]))
    assert model.history_.valid_loss.iloc[-1] == pytest.approx(wanted, rel=1e-5)
    assert model.history_.valid_acc.iloc[-1] == pytest.approx(model.score(FAR[ODD], labels[ODD]))
    assert model.net_.train_split is not None
    assert "X_val" not in vars(model)


def _tensors(X, y):
    return TensorDataset(torch.as_tensor(X), torch.as_tensor(y))


def test_validation_targets_are_standardized_too():
    target = 1e4 * X[:, 0] + 7
    model = DeepRegressor(**SMALL).fit(
        FAR[~ODD, 1:], target[~ODD], X_val=FAR[ODD, 1:], y_val=target[ODD]
    )
    error = mean_squared_error(target[ODD], model.predict(FAR[ODD, 1:]))
    scaled = error / np.var(target[~ODD])
    assert model.history_.valid_loss.iloc[-1] == pytest.approx(scaled, rel=1e-5)


def test_validation_data_that_cannot_be_meant():
    model = DeepClassifier(**SMALL)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val was given without X_val"):
        model.fit(X, y, y_val=y)
    with pytest.raises(ValueError, match=r"labels \[7\] that are not among the classes"):
        model.fit(X, y, X_val=X[:1], y_val=[7])
    with pytest.raises(ValueError, match="expecting 4 features"):
        model.fit(X, y, X_val=X[:, :2], y_val=y)
    model.set_params(net_params={"train_split": predefined_split(SkorchDataset(X, y))})
    with pytest.raises(ValueError, match="two sets of validation data"):
        model.fit(X, y, X_val=X, y_val=y)


# messages


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_for_which_the_network_overflows_are_named(dtype):
    far = X.copy()
    far[7] *= 1e200
    for model in (DeepRegressor, DeepClassifier, DeepAutoencoder):
        fitted = model(**SMALL, dtype=dtype).fit(X, y)
        method = fitted.transform if model is DeepAutoencoder else fitted.predict
        with pytest.raises(ValueError, match=r"overflows for 1 of 150 rows.* row 7|no class"):
            method(far)


def test_absent_devices_are_named():
    for device in ("cuda:97", "mps", "nonsense"):
        with pytest.raises(ValueError, match=f"device='{device}' is not available: .* finds cpu"):
            DeepClassifier(device=device).fit(X, y)


def test_a_loss_of_probabilities_is_not_given_logits():
    for criterion in (nn.NLLLoss, nn.NLLLoss()):
        with pytest.raises(ValueError, match="NLLLoss needs the probabilities"):
            DeepClassifier(criterion=criterion).fit(X, y)
    softmax = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    model = DeepClassifier(softmax, criterion=nn.NLLLoss, **SMALL).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-5)


def test_a_last_batch_of_one_with_batch_normalization():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    model = DeepClassifier(module, **SMALL, batch_size=149)
    with pytest.raises(ValueError, match="choose a batch_size that leaves no remainder of one"):
        model.fit(X, y)
    assert not hasattr(model, "net_")
    assert model.set_params(iterator_train__drop_last=True).fit(X, y).n_iter_ == 3


@pytest.mark.parametrize("kind", ["sampler", "batch_sampler"])
def test_samplers(kind):
    rows = list(range(0, 150, 3))
    chosen = rows if kind == "sampler" else [rows[:25], rows[25:]]
    model = DeepClassifier(**SMALL, net_params={f"iterator_train__{kind}": chosen}).fit(X, y)
    batches = model.net_.history[-1]["batches"]
    assert sum(batch["train_batch_size"] for batch in batches) == 50
