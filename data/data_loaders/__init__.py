"""One file per data set; every module in this folder is imported by the registry."""
