-- SPDX-License-Identifier: Apache-2.0
-- LOOK (design 4.9): is the data set whole, and as new as the caller has seen it? If not: may the
-- caller make it anew?
--
-- KEYS  1 epoch, 2 sequence, 3 lock of the rebuild, 4 owner
-- ARGV  1 "look": only look; "begin": take the lock if it can be had, or keep it; "drop": give it up
--       2 incarnation, 3 id of the attempt, 4 the highest sequence seen, 5 life of the lock (ms)
--       6 id of the data set that the caller works on, or empty, 7 the highest sequence that it has
--       raised itself in that, 8 instance, 9 to 11 deployment, group and Kafka's cluster id; empty:
--       not known yet
--
-- Replies
--   open, epoch, sequence   it can be worked on
--   begun                   the lock is the caller's, for this attempt
--   busy, instance          another worker makes it anew
--   closed                  nobody does
--   foreign, deployment, group, cluster   it is another's, whole or not: it must be left alone
--
-- The lock holds "<incarnation> <attempt>". An incarnation may take its own lock under a new
-- attempt: then the attempt before was cut off, and its late calls find another lock.

local epoch, lock = call('GET', KEYS[1]), call('GET', KEYS[3])
local sequence = call('GET', KEYS[2]) or '0'
local what, incarnation, seen, life = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]
local attempt = incarnation .. ' ' .. ARGV[3]

if what == 'drop' then
    if lock == attempt then
        call('DEL', KEYS[3])
    end
    return {'closed'}
end

local deployment, group, cluster = unpack(call('HMGET', KEYS[4], 'deployment', 'group',
    'cluster'))
local told = ARGV[9] ~= ''
if deployment and told
    and (deployment ~= ARGV[9] or group ~= ARGV[10] or cluster ~= ARGV[11]) then
    return {'foreign', deployment, group, cluster}
end

local whole = epoch and string.match(epoch, '^[%x-]+ %d+')
-- What others have raised since may hide that what the caller raised is lost.
local mine = whole and ARGV[6] ~= '' and string.sub(epoch, 1, #ARGV[6]) == ARGV[6]
local raised = mine and tonumber(call('HGET', KEYS[2] .. ':raised', ARGV[8]) or '0')
if whole and tonumber(sequence) >= seen and (not mine or raised >= tonumber(ARGV[7])) then
    if told and not deployment and what == 'begin' then
        -- It began under a version that didn't write it down: the first worker's. Tools only look.
        call('HSET', KEYS[4], 'deployment', ARGV[9], 'group', ARGV[10], 'cluster', ARGV[11])
    end
    return {'open', epoch, sequence}
end
-- Older than it was, or not of our making. Others may not have seen that: nobody works on it now.
call('DEL', KEYS[1])

if lock and string.sub(lock, 1, #incarnation) ~= incarnation then
    return {'busy', string.sub(lock, 1, #incarnation)}
end
if what == 'look' then
    return {'closed'}
end
call('SET', KEYS[3], attempt, 'PX', life)
return {'begun'}
