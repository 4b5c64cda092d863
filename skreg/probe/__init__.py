"""Linear probes on frozen features: naive Bayes against logistic regression.

C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting Discriminative vs. Generative
Classifiers: Theory and Implications", ICML 2023.
"""

from skreg.probe._crossover import Crossover, crossover_size, sample_complexity
from skreg.probe._display import ProbeLearningCurveDisplay
from skreg.probe._learning_curve import probe_learning_curve
from skreg.probe._linear_probe import LinearProbe
from skreg.probe._naive_bayes import LinearNaiveBayes
from skreg.probe._report import NaiveBayesReport, naive_bayes_report

__all__ = [
    "Crossover",
    "LinearNaiveBayes",
    "LinearProbe",
    "NaiveBayesReport",
    "ProbeLearningCurveDisplay",
    "crossover_size",
    "naive_bayes_report",
    "probe_learning_curve",
    "sample_complexity",
]
