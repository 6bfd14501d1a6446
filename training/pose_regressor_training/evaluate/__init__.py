"""How good poses are: the errors of the papers and of BOP, over a dataset."""
