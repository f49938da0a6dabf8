"""Do the tests notice? Faults are planted into the rules one at a time, and the tests that run the
planted line have to fail. No part of the gate: a whole run takes an hour or two.

    uv run python -m project.tests.mutants                       # all rule modules
    uv run python -m project.tests.mutants lms.permissions people.tokens
    DATABASE_URL=postgres://… uv run python -m project.tests.mutants --locks

mutmut and cosmic-ray were looked at first. The former plants faults into function bodies only, so
that a table of legal moves, a period or a transaction would be left out, and both start the tests
anew for each mutant: with the database of these tests that is six seconds for each of thousands.

- `mutations`: which faults there are, read from the source.
- `lines`: a plugin of pytest that notes which test runs which line.
- `planting`: puts a fault into the running process.
- `trial`: a plugin of pytest that forks for each mutant and runs the tests that concern it.
- `survivors.toml`: what no test can notice, each with the reason.
"""
