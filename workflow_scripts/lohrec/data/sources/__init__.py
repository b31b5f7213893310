"""Sources of interactions, a module each, found by name (`configuration.registry`).

A source declares literals, which are read without importing it:

    FILES     {kind: file}. A file has a name ("file", with {category} of the dataset's row), other
              names under which it may lie in raw_dir ("also"), and an address if it can be
              downloaded ("url", with {file}); or its name is a setting of the source's own
              ("setting"); or it is made by a rule ("made", a path with {dataset} or {category}).
              Where it is "optional", it holds the items' text. Where it may be a folder of
              "parts", `read` gets the list of its files.
    PUBLISHED categories whose files are on a server; no other is looked for there.
    TERMS     who may use the data, and how; a dataset's row may say it too. It stands in cards.
    READS     settings of the section `ingest`, or of its own, that `read` takes.
    SETTINGS  settings of its own, each as a property of a JSON schema with default and description.

It defines `read(paths, **settings) -> Ingested`, where `paths` has every kind but "index", and an
optional one only if it is there. Where the kind "index" is among its files, it brings identifiers:
`read_identifiers(path, items)` returns int16 (items, 4), and no RQ-VAE is trained.
"""
