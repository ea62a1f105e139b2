"""The live screen, `mlhub top`. Readers in threads keep latest values; views pull them some times a second and draw.

start, app    the screen as a whole: what stands where, keys, the end; glass: only what differs is written
model, feed   what views read; the reader of rows
keys          the one table of keys → bindings, footer, help, palette
layout, theme, dots, prefs, view
              what views share
widgets       tables and the rows around the views
runs, charts, log, compare, queue, system, search
              a view each, in `view`, beside what it is made of
acting        what a user does to runs
words         the same without a screen: --plain, --once, --json
"""
