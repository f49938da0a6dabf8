"""The outbox: who is to get which mail, and what became of it. A leaf: it imports no other app.

`Mailing` and `Delivery` are its rows, `kinds` says what an app has to tell about a kind of mail,
`services` puts mail in, `limits` counts what an address gets in a day, `recipients` lists who gets
it, `sending` sends what is due: `batches` has what a worker took and what became of it, `mime` the
bytes, `smtp` speaks to the mail server, `refusals` knows which addresses it refuses for good. `tasks`
is run by the worker, `admin` shows it.
"""
