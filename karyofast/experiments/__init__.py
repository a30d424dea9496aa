"""The experiments of the paper, and the arms that it lacks: what `karyofast paper` runs."""
