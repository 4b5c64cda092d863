"""scikit-learn's own checks of the linear maps."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.transport import GaussianTransport, LinearTransportRestorer


@parametrize_with_checks(
    [
        GaussianTransport(),
        GaussianTransport("ledoit_wolf", alpha=0.5),
        GaussianTransport("oas", noise="none"),
        LinearTransportRestorer(),
        LinearTransportRestorer(interpolate="latent", keep_residual=False),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
