"""Why money has not arrived: the catalogue of causes, the verdict and its plain words. Pure."""
