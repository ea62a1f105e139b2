"""Runs as processes and folders: submitted, supervised, read, stopped. Rows about them are `mlhub.store`'s.

start       submit, resume, preflight, names, spec, order, queue, tick → launch → __main__, supervise, child, logout
processes   identity, lock, family, leftovers, stop, ending
end         record, oom, reason, advice, afterwards
truth       truth (what is), reconcile (rows made to say so)
beside it   companion → sample, vitals, judge, alerts, notify, segments
folders     folder, trash, tree, archive, columns, house, tidy
doctor      health, mend, unit, owners
"""
