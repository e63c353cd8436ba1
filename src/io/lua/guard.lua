-- SPDX-License-Identifier: Apache-2.0
-- GUARD (design 4.9): the head of every script that works on the ledger. Nothing is claimed, stored
-- or renewed in a data set that isn't whole, or that is older than the caller has seen it.
--
-- It takes its own words off the ends, so that the script behind it counts only its own:
-- KEYS  ..., epoch, sequence
-- ARGV  ..., id of the data set, the highest sequence that the caller has seen, the highest that it has
--       raised itself in this data set; and as everywhere 1: its instance
--
-- Reply: stale   the script did nothing; the caller has to look at the data set again
--
-- raise() makes its caller notice when what was written is lost: the sequence alone doesn't tell once
-- others have raised it again in an older copy, so the number is kept for each instance, too (in
-- "sequence:raised", for as long as the data set lives). An instance has one process at a time, and the
-- number only rises, so the one before that is covered as well.

local guard_sequence = table.remove(KEYS)
local guard_epoch = table.remove(KEYS)
local guard_raised = tonumber(table.remove(ARGV))
local guard_seen = tonumber(table.remove(ARGV))
local guard_id = table.remove(ARGV)
if call('GETRANGE', guard_epoch, 0, 35) ~= guard_id
    or (tonumber(call('GET', guard_sequence)) or 0) < guard_seen
    or (tonumber(call('HGET', guard_sequence .. ':raised', ARGV[1])) or 0) < guard_raised then
    return {'stale'}
end
local function raise()
    local number = call('INCR', guard_sequence)
    call('HSET', guard_sequence .. ':raised', ARGV[1], number)
    return number
end

