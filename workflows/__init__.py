"""One study step per file: each has a Config, a run(config, potential, ...) and a Result."""
