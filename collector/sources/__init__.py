"""Sources of events; each is a `memo.protocols.Source` under the entry-point group `memo.sources`."""
