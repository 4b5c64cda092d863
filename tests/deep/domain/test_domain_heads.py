"""Heads of domains on shared features, against closed forms, loops by hand and skreg.domain."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier, RegularizedNetClassifier
from skreg.deep.regularizers import DomainSpecificHeads
from skreg.deep.torch import DomainHeads, DRMLoss
from skreg.domain import DomainSpecificClassifier

N, D, K, C = 48, 5, 3, 3


def sites(seed=0, n=N):
    rng = np.random.default_rng(seed)
    domains = np.arange(n) % K
    means = 3.0 * np.random.default_rng(1).normal(size=(K, D))
    X = means[domains] + rng.normal(size=(n, D))
    y = np.digitize((X - means[domains])[np.arange(n), domains], [-0.5, 0.5])
    y[: 3 * K] = np.arange(3 * K) // K  # every domain has all classes
    return X.astype(np.float32), y, np.array(["a", "b", "c"])[domains]


def net_with(domains, seed=0, **arguments):
    torch.manual_seed(seed)
    defaults = {"lr": 0.05, "max_epochs": 3, "batch_size": 16, "train_split": None, "verbose": 0}
    heads = DomainSpecificHeads(domains, **arguments.pop("rule", {}))
    module = nn.Sequential(nn.Linear(D, 6), nn.Tanh(), nn.Linear(6, C))
    return RegularizedNetClassifier(
        module, regularizers=[("drm", heads)], optimizer=torch.optim.SGD, **(defaults | arguments)
    )


# ------------------------------------------------------------------------------------------------
# the loss of the paper


def test_loss_of_zero_logits_is_the_logarithm_of_the_number_of_classes():
    domain = torch.tensor([0, 0, 0, 1])
    zero = torch.zeros(4, 4)
    loss = DRMLoss()(zero, zero, torch.tensor([0, 1, 2, 3]), domain)
    assert loss.item() == pytest.approx(1.386294, abs=1e-6)


def test_loss_is_the_mean_over_domains_of_means():
    generator = torch.Generator().manual_seed(0)
    own, shared = (torch.randn(10, 4, generator=generator) for _ in range(2))
    y, domain = torch.arange(10) % 4, torch.tensor([0, 2, 2, 0, 0, 0, 2, 0, 0, 0])
    by_hand = [
        (F.cross_entropy(own[rows], y[rows]) + F.cross_entropy(shared[rows], y[rows])) / 2
        for rows in (domain == 0, domain == 2)
    ]
    torch.testing.assert_close(DRMLoss()(own, shared, y, domain), sum(by_hand) / 2)


def test_gradients_of_a_head_come_from_its_domain_only():
    torch.manual_seed(0)
    heads = DomainHeads(nn.Linear(D, C), 2)
    z, y, domain = torch.randn(8, D), torch.arange(8) % C, torch.arange(8) // 4

    def gradients(rows):
        heads.zero_grad()
        own, shared = heads.own_logits(z[rows], domain[rows]), heads(z[rows])
        DRMLoss()(own, shared, y[rows], domain[rows]).backward()
        return heads.heads.weight.grad.view(2, C, D).clone(), heads.shared.weight.grad.clone()

    first, of_shared = gradients(slice(0, 4))
    assert first[0].abs().sum() > 0
    assert first[1].abs().sum() == 0
    second, of_shared_too = gradients(slice(4, 8))
    assert second[0].abs().sum() == 0
    both, together = gradients(slice(0, 8))
    torch.testing.assert_close(both, (first + second) / 2)
    torch.testing.assert_close(together, (of_shared + of_shared_too) / 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("selection", ["similarity", "discriminator"])
def test_training_step_is_the_one_by_hand(selection, weighted):
    X, y, domains = sites()
    codes = torch.from_numpy(np.unique(domains, return_inverse=True)[1])
    weight = np.linspace(0.5, 1.5, N) if weighted else None
    net = net_with(domains, rule={"selection": selection}, max_epochs=1).initialize()
    module = copy.deepcopy(net.module_)
    net.partial_fit(X, y, sample_weight=weight)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    w_all = torch.ones(N) if weight is None else torch.tensor(weight / weight.mean()).float()
    for rows in torch.arange(N).split(16):
        z = module[1](module[0](torch.from_numpy(X)[rows]))
        heads, target = module[2], torch.from_numpy(y)[rows]
        own, shared = heads.own_logits(z, codes[rows]), heads.shared(z)
        both = F.cross_entropy(own, target, reduction="none")
        both = both + F.cross_entropy(shared, target, reduction="none")
        means = [
            (w_all[rows] * both)[codes[rows] == i].sum() / w_all[rows][codes[rows] == i].sum()
            for i in range(K)
        ]
        loss = sum(means) / (2 * K)
        if selection == "discriminator":
            told = F.cross_entropy(heads.discriminator(z.detach()), codes[rows], reduction="none")
            loss = loss + (w_all[rows] * told).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in module.named_parameters():
        torch.testing.assert_close(
            dict(net.module_.named_parameters())[name], value, rtol=1e-4, atol=1e-6, msg=name
        )


def test_discriminator_teaches_the_features_nothing():
    torch.manual_seed(0)
    heads = DomainHeads(nn.Linear(D, C), K, "discriminator")
    z = torch.randn(6, D, requires_grad=True)
    heads.discriminator_loss(z, torch.arange(6) % K).backward()
    assert z.grad is None
    assert heads.heads.weight.grad is None
    assert heads.discriminator[0].weight.grad.abs().sum() > 0
    assert DomainHeads(nn.Linear(D, C), K).discriminator_loss(z, torch.arange(6) % K) == 0


# ------------------------------------------------------------------------------------------------
# the combination


@pytest.mark.parametrize("combine", ["hard", "soft"])
@pytest.mark.parametrize(
    "rule",
    [{"selection": "similarity"}, {"selection": "similarity", "similarity": "cosine"},
     {"selection": "entropy"}, {"selection": "uniform"}, {"selection": "shared"}],
    ids=str,
)  # fmt: skip
def test_combination_is_that_of_skreg_domain(rule, combine):
    X, y, domains = sites()
    model = DomainSpecificClassifier(combine=combine, gamma=2.0, **rule).fit(
        X.astype(float), y, domains=domains
    )
    heads = DomainHeads(nn.Linear(D, C), K, combine=combine, gamma=2.0, **rule).double()
    with torch.no_grad():
        everyone = [*model.domain_estimators_, model.shared_estimator_]
        weights = [torch.from_numpy(head.coef_) for head in everyone]
        intercepts = [torch.from_numpy(head.intercept_) for head in everyone]
        heads.heads.weight.copy_(torch.cat(weights[:-1]))
        heads.heads.bias.copy_(torch.cat(intercepts[:-1]))
        heads.shared.weight.copy_(weights[-1])
        heads.shared.bias.copy_(intercepts[-1])
        z = torch.from_numpy(sites(seed=3)[0].astype(float))
        means = np.array([X[domains == name].mean(axis=0) for name in "abc"], dtype=float)
        proba = heads.finish(torch.from_numpy(means)).eval()(z).softmax(1).numpy()
        found = heads.domain_weights(z).numpy()
    np.testing.assert_allclose(proba, model.predict_proba(z.numpy()), atol=1e-5)
    np.testing.assert_allclose(found, model.domain_weights(z.numpy()), atol=1e-5)
    gaps = heads.gap_estimates(z).detach().numpy()
    if rule["selection"] in ("similarity", "entropy"):
        np.testing.assert_allclose(gaps, model.gap_estimates(z.numpy()), atol=1e-4)


def test_discriminator_weights_are_its_probabilities():
    torch.manual_seed(0)
    heads = DomainHeads(nn.Linear(D, C), K, "discriminator", combine="soft").eval()
    z = torch.randn(7, D)
    expected = heads.discriminator(z).softmax(1)
    weights = heads.finish(torch.zeros(K, D)).domain_weights(z)
    torch.testing.assert_close(weights[:, :K], expected)
    assert (weights[:, K] == 0).all()
    by_hand = (expected.unsqueeze(2) * heads.domain_logits(z).softmax(2)).sum(1)
    torch.testing.assert_close(heads(z).softmax(1), by_hand)


# ------------------------------------------------------------------------------------------------
# the regularizer


def test_means_are_those_of_the_features():
    X, y, domains = sites()
    weight = np.linspace(0.2, 2.0, N)
    for given in (None, weight):
        net = net_with(domains).fit(X, y, sample_weight=given)
        z = net.module_[:2](torch.from_numpy(X)).detach().numpy()
        expected = [
            np.average(z[domains == name], axis=0,
                       weights=None if given is None else given[domains == name])
            for name in "abc"
        ]  # fmt: skip
        np.testing.assert_allclose(net.module_[2].means.numpy(), expected, rtol=1e-4, atol=1e-6)
        assert net.module_[2].finished


def test_training_mode_is_the_shared_head_and_evaluation_the_combination():
    X, y, domains = sites()
    net = net_with(domains).fit(X, y)
    heads, z = net.module_[2], net.module_[:2](torch.from_numpy(X))
    torch.testing.assert_close(heads.train()(z), heads.shared(z))
    heads.eval()
    np.testing.assert_allclose(
        net.predict_proba(X), heads(z).softmax(1).detach().numpy(), rtol=1e-5, atol=1e-7
    )
    nearest = torch.cdist(z, heads.means).argmin(1)
    chosen = heads.domain_logits(z)[torch.arange(N), nearest].softmax(1)
    np.testing.assert_allclose(net.predict_proba(X), chosen.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("selection", ["similarity", "discriminator"])
def test_pickles_copies_and_checkpoints_go_on_alike(selection, tmp_path):
    X, y, domains = sites()
    net = net_with(domains, rule={"selection": selection}).fit(X, y)
    wanted = net.predict_proba(X)
    twins = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    paths = {f"f_{part}": str(tmp_path / part)
             for part in ("params", "optimizer", "criterion", "history")}  # fmt: skip
    net.save_params(**paths)
    resumed = net_with(domains, seed=5, rule={"selection": selection}).initialize()
    resumed.load_params(**paths)
    twins.append(resumed)
    for twin in twins:
        np.testing.assert_array_equal(twin.predict_proba(X), wanted)
    going_on = np.arange(N)
    net.partial_fit(X, y, sample_index=going_on)
    for twin in twins:
        twin.partial_fit(X, y, sample_index=going_on)
        np.testing.assert_allclose(twin.predict_proba(X), net.predict_proba(X), rtol=1e-5)
    assert not np.allclose(net.predict_proba(X), wanted)


def test_the_estimator_beats_pooling_where_domains_label_differently():
    rng = np.random.default_rng(0)
    domains = np.repeat(["a", "b"], 150)
    side = np.where(domains == "a", 1.0, -1.0)
    X = rng.normal(size=(300, 2)) + 3.0 * side[:, None]
    y = (X[:, 0] - 3.0 * side) * side > 0
    linear = {"module": nn.Sequential(nn.Linear(2, 2)), "lr": 0.05, "max_epochs": 60,
              "standardize": False, "random_state": 0}  # fmt: skip
    pooled = DeepClassifier(**linear).fit(X, y)
    heads = DeepClassifier(
        regularizers=[("drm", DomainSpecificHeads(domains))],
        **(linear | {"module": nn.Sequential(nn.Identity(), nn.Linear(2, 2))}),
    )
    assert heads.fit(X, y).score(X, y) > 0.95
    assert pooled.score(X, y) < 0.8
    again = clone(heads).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), heads.predict_proba(X))


def test_numbers_of_samples_carry_domains_through_cross_validation():
    X, y, domains = sites(n=60)
    model = DeepClassifier(
        regularizers=[("drm", DomainSpecificHeads(domains))], max_epochs=2, random_state=0
    )
    folds = list(LeaveOneGroupOut().split(X, y, domains))
    scores = cross_val_score(
        model, X, y, cv=folds, params={"sample_index": np.arange(60)}, error_score="raise"
    )
    train, test = folds[1]
    alone = clone(model).fit(X[train], y[train], sample_index=train)
    assert scores[1] == alone.score(X[test], y[test])
    heads = dict(alone.net_.regularizers)["drm"].heads_
    assert (heads.means.abs().sum(1) > 0).tolist() == [True, False, True]
    with pytest.warns(UserWarning, match="for the first of 60"):
        clone(model).fit(X[train], y[train])


@pytest.mark.parametrize("selection", ["similarity", "entropy", "discriminator", "uniform"])
def test_a_domain_without_samples_is_not_chosen(selection):
    X, y, domains = sites(n=60)
    train = np.flatnonzero(domains != "b")
    net = net_with(domains, rule={"selection": selection, "combine": "soft"})
    net.fit(X[train], y[train], sample_index=train)
    weights = net.module_[2].domain_weights(net.module_[:2](torch.from_numpy(X)))
    assert (weights[:, 1] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(60))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"selection": "nearest"}, "selection must be one of"),
        ({"combine": "both"}, "combine must be one of"),
        ({"gamma": -1.0}, "gamma must be in"),
        ({"similarity": "l1"}, "similarity must be one of"),
        ({"discriminator_width": 0}, "discriminator_width must be in"),
    ],
    ids=str,
)
def test_bad_parameters(rule, message):
    X, y, domains = sites()
    with pytest.raises(ValueError, match=message):
        net_with(domains, rule=rule).fit(X, y)


def test_domains_that_do_not_fit():
    X, y, domains = sites()
    with pytest.raises(ValueError, match="domains of 40 samples, but there is a sample of number"):
        net_with(domains[:40]).fit(X, y)
    with pytest.raises(ValueError, match="which is no domain"):
        net_with([None, *domains[1:]]).fit(X, y)
    with pytest.raises(ValueError, match=r"wrap it in torch.nn.Sequential"):
        RegularizedNetClassifier(
            nn.Linear(D, C), regularizers=[("drm", DomainSpecificHeads(domains))], verbose=0
        ).fit(X, y)
    with pytest.warns(UserWarning, match="takes all samples for those of one"):
        net_with(None).fit(X, y)


def test_the_rule_can_change_when_training_goes_on_but_not_what_is_built():
    X, y, domains = sites()
    net = net_with(domains).fit(X, y)
    net.set_params(regularizers__drm__combine="soft", regularizers__drm__gamma=3.0)
    net.partial_fit(X, y, sample_index=np.arange(N))
    assert net.module_[2].gamma == 3.0
    assert not np.isin(net.module_[2].domain_weights(torch.zeros(1, 6)).detach(), (0, 1)).all()
    net.set_params(regularizers__drm__selection="discriminator")
    with pytest.raises(ValueError, match="selection of DomainSpecificHeads"):
        net.partial_fit(X, y, sample_index=np.arange(N))
    others = np.array(["x", "y", "z"])[np.arange(N) % 3]
    net.set_params(regularizers__drm__selection="similarity", regularizers__drm__domains=others)
    with pytest.raises(ValueError, match="the module has heads for the domains"):
        net.partial_fit(X, y, sample_index=np.arange(N))
