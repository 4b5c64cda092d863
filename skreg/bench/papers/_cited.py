"""Papers whose methods stand in skreg and whose claims are not measured: rivals and companions."""

from skreg.bench import Paper

CITED = [
    Paper(
        title="Semi-Supervised Learning Using Gaussian Fields and Harmonic Functions",
        authors=(
            "Zhu, Xiaojin",
            "Ghahramani, Zoubin",
            "Lafferty, John",
        ),
        venue="International Conference on Machine Learning",
        year=2003,
        here="Label propagation: skreg.semi_supervised",
    ),
    Paper(
        title="Sharpness-Aware Minimization for Efficiently Improving Generalization",
        authors=(
            "Foret, Pierre",
            "Kleiner, Ariel",
            "Mobahi, Hossein",
            "Neyshabur, Behnam",
        ),
        venue="International Conference on Learning Representations",
        year=2021,
        here="SAM: skreg.deep",
    ),
    Paper(
        title="mixup: Beyond Empirical Risk Minimization",
        authors=(
            "Zhang, Hongyi",
            "Cisse, Moustapha",
            "Dauphin, Yann N.",
            "Lopez-Paz, David",
        ),
        venue="International Conference on Learning Representations",
        year=2018,
        here="Mixup: skreg.deep.regularizers",
    ),
    Paper(
        title="CutMix: Regularization Strategy to Train Strong Classifiers with "
        "Localizable Features",
        authors=(
            "Yun, Sangdoo",
            "Han, Dongyoon",
            "Oh, Seong Joon",
            "Chun, Sanghyuk",
            "Choe, Junsuk",
            "Yoo, Youngjoon",
        ),
        venue="International Conference on Computer Vision",
        year=2019,
        here="CutMix: skreg.deep.regularizers",
    ),
    Paper(
        title="Averaging Weights Leads to Wider Optima and Better Generalization",
        authors=(
            "Izmailov, Pavel",
            "Podoprikhin, Dmitrii",
            "Garipov, Timur",
            "Vetrov, Dmitry",
            "Wilson, Andrew Gordon",
        ),
        venue="Uncertainty in Artificial Intelligence",
        year=2018,
        here="SWA: skreg.deep.regularizers",
    ),
    Paper(
        title="R-Drop: Regularized Dropout for Neural Networks",
        authors=(
            "Wu, Lijun",
            "Li, Juntao",
            "Wang, Yue",
            "Meng, Qi",
            "Qin, Tao",
            "Chen, Wei",
            "Zhang, Min",
            "Liu, Tie-Yan",
        ),
        venue="Neural Information Processing Systems",
        year=2021,
        here="R-Drop: skreg.deep.regularizers",
    ),
    Paper(
        title="Regularizing Neural Networks by Penalizing Confident Output Distributions",
        authors=(
            "Pereyra, Gabriel",
            "Tucker, George",
            "Chorowski, Jan",
            "Kaiser, Lukasz",
            "Hinton, Geoffrey",
        ),
        venue="International Conference on Learning Representations, workshop track",
        year=2017,
        here="Confidence penalty: skreg.deep.regularizers",
    ),
    Paper(
        title="Gradient Starvation: A Learning Proclivity in Neural Networks",
        authors=(
            "Pezeshki, Mohammad",
            "Kaba, Sekou-Oumar",
            "Bengio, Yoshua",
            "Courville, Aaron",
            "Precup, Doina",
            "Lajoie, Guillaume",
        ),
        venue="Neural Information Processing Systems",
        year=2021,
        here="Spectral decoupling: skreg.deep.regularizers",
    ),
    Paper(
        title="iFlood: A Stable and Effective Regularizer",
        authors=(
            "Xie, Yuexiang",
            "Wang, Zhen",
            "Li, Yaliang",
            "Zhang, Ce",
            "Zhou, Jingren",
            "Ding, Bolin",
        ),
        venue="International Conference on Learning Representations",
        year=2022,
        here="Flooding: skreg.deep.regularizers",
    ),
]
