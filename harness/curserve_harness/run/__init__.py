"""A replay from the outside: hosts, links, blocks, cells, the run folder and its manifest."""
