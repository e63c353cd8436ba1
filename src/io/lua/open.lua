-- SPDX-License-Identifier: Apache-2.0
-- OPEN (design 4.9): the rebuilt data set is whole. In one step it can be worked on, and the lock is
-- gone.
--
-- KEYS  1 epoch, 2 sequence, 3 lock of the rebuild, 4 owner
-- ARGV  1 "<incarnation> <attempt>", 2 the epoch's text, which begins with the attempt
--       3 the highest sequence seen, 4 to 6 deployment, group and Kafka's cluster id; empty: not known
--
-- Replies
--   open, epoch, sequence   now, or by an earlier run of this call
--   lost                    the lock isn't the caller's
--
-- The sequence begins at the microseconds of Redis' clock, so it is above that of every data set
-- before it, also of those that only others have seen: what any worker saw of them is older.

local epoch = call('GET', KEYS[1])
if epoch and epoch == ARGV[2] then
    return {'open', epoch, call('GET', KEYS[2]) or '0'}
end
if call('GET', KEYS[3]) ~= ARGV[1] then
    return {'lost'}
end
local clock = call('TIME')
local sequence = string.format('%.0f', math.max(tonumber(call('GET', KEYS[2]) or '0') + 1,
    tonumber(ARGV[3]) + 1, clock[1] * 1000000 + clock[2]))
if ARGV[4] ~= '' then
    call('HSET', KEYS[4], 'deployment', ARGV[4], 'group', ARGV[5], 'cluster', ARGV[6])
end
call('DEL', KEYS[2] .. ':raised')
call('SET', KEYS[2], sequence)
call('SET', KEYS[1], ARGV[2])
call('DEL', KEYS[3])
return {'open', ARGV[2], sequence}
