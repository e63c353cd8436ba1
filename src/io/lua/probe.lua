-- SPDX-License-Identifier: Apache-2.0
-- PROBE: whether Redis takes what is written to it. It says so of each command; but who has nothing to
-- write has to ask.
--
-- KEYS  1 the hash of what each instance has raised
-- ARGV  1 instance
--
-- Reply: probed. It writes 0 where there is nothing yet, which means the same.

call('HSETNX', KEYS[1], ARGV[1], '0')
return {'probed'}
