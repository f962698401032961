"""Running arsync: what a person asks of the installation itself."""
