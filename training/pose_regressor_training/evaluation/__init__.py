"""How good poses are: the errors of the papers and of BOP, recalls over a dataset, plots, and what scores are worth."""
