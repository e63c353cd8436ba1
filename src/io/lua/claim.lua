-- SPDX-License-Identifier: Apache-2.0
-- CLAIM (design 4.2, 4.3, 4.7): the stored outcome of a command, or the lane of its space.
--
-- KEYS  1 space hash, 2 command hash
-- ARGV  1 instance, 2 incarnation, 3 command id: the holder that the lane shall have
--       4 digest, 5 source
--       6 "fine", "too_old" or "in_future": how issued_at looks, for an id that isn't known
--       7 "1": the claim's `before` is "absent" whatever is known here
--       8 a present space is warm when it was verified at or after this (ms)
--       9 now (ms): received_at of a first claim
--       10 which claim of this incarnation it is: the same call again has the same number
--       11 "1": take the lane from another holder if it bears this mark: 12 token, 13 renewals
--       14 "1": the record is older than the data set: it may have been claimed in one that was lost
--
-- Replies
--   taken, token, attempts, received_at, first, before, state, sequence (nil: not raised), burned,
--          paused_ms (what renewals of earlier claims told)
--   stored, same source, state current, publication (what is left of it), version
--   held, instance, incarnation, command id, token, renewals
--   reused | too_old | in_future
-- before and state are the space's fields and values, one a line; nil: not known; state "=": the same
-- as before.
--
-- Numbers above 2^31 are kept as the strings they came as; a token is below 2^53, where a double is
-- exact.

local space, command = KEYS[1], KEYS[2]
local instance, incarnation, id, digest, source, issued = unpack(ARGV, 1, 6)
local before_is_absent, warm_since, now = ARGV[7] == '1', tonumber(ARGV[8]), ARGV[9]
local number, take_over = ARGV[10], ARGV[11] == '1'
local claim = incarnation .. ' ' .. number

-- Without `received_at` the command's hash is one that is being made anew, see below.
local known_digest, known_source, kind, version, attempts, received_at, earlier, before, burned,
    paused_ms, known_claim = unpack(call('HMGET', command, 'digest', 'source', 'kind', 'version',
        'attempts', 'received_at', 'earlier', 'before', 'burned', 'paused_ms', 'claim'))

if known_digest and known_digest ~= digest then
    return {'reused'}
end

-- A copy of an earlier call, which comes late: its record was answered, or is somebody else's.
local known_incarnation, known_number = string.match(known_claim or '', '^(%S+) (%d+)$')
local late = known_incarnation == incarnation and tonumber(number) < tonumber(known_number)

-- A FAILED outcome is final for its own record only, so that a dead letter can be replayed.
local failed_elsewhere = kind == 'FAILED' and not same_source(known_source, source) and not late
if kind and not failed_elsewhere then
    local current = call('HGET', space, 'version') == version
    local result, rest = unpack(call('HMGET', command, 'result', 'rest'))
    return {'stored', same_source(known_source, source) and 1 or 0, current and 1 or 0,
        result .. (rest or ''), version}
end
if not known_digest and issued ~= 'fine' then
    return {issued}
end

local lane_instance, lane_incarnation, lane_id, token, renewals, space_version, state, verified_at =
    unpack(call('HMGET', space, 'holder_instance', 'holder_incarnation', 'holder_command',
        'token', 'renewals', 'version', 'state', 'verified_at'))
local may_expire = token and state ~= 'present'
-- A lane that was kept after FAILED waits for a write that may still arrive: the replay of that dead
-- letter waits like anybody else, and gets a token of its own.
local own = lane_id == id and lane_incarnation == incarnation and lane_instance == instance
    and not failed_elsewhere
if late then
    return {'held', lane_instance or '', lane_incarnation or '', lane_id or '', token or '0',
        renewals or '0'}
end
if lane_id and not own
    and not (take_over and token == ARGV[12] and renewals == ARGV[13]) then
    return {'held', lane_instance, lane_incarnation, lane_id, token, renewals}
end

-- A repetition counts as the claim that it repeats: any other claim under the same holder may follow
-- one under which Harbor was asked.
local repetition = own and known_claim == claim

-- Whoever held the lane before may have changed Harbor since the space was last seen.
if lane_id and not repetition then
    call('HSET', space, 'verified_at', '0')
    verified_at = '0'
end
local known, sequence = false, false
if state then
    known = table.concat(call('HGETALL', space), '\n')
end

if own then
    -- The lease is counted from this call on, so whoever watches the lane must see a new mark. The
    -- token stays: a late copy of this call must not take the lane from the claim it belongs to.
    call('HINCRBY', space, 'renewals', 1)
else
    local clock = call('TIME')
    token = string.format('%.0f', math.max((tonumber(space_version) or 0) + 1,
        (tonumber(token) or 0) + 1, clock[1] * 1000000 + clock[2]))
    sequence = raise()
    if may_expire then
        call('PERSIST', space)
    end
    call('HSET', space, 'token', token, 'renewals', '0', 'holder_instance', instance,
        'holder_incarnation', incarnation, 'holder_command', id)
end

local fields = {}
if failed_elsewhere or not received_at then
    -- A replayed dead letter is a new claim, but not the first one of its id.
    attempts, received_at, before, burned, paused_ms = 1, now, false, false, false
    fields = {'digest', digest, 'source', source, 'attempts', 1, 'received_at', now, 'claim', claim}
    if failed_elsewhere then
        -- What is left of the old claim says until the end that there was one.
        call('PERSIST', command)
        call('HDEL', command, 'received_at', 'kind', 'version', 'result', 'rest', 'before', 'burned',
            'paused_ms')
    end
    if known_digest or ARGV[14] == '1' then
        earlier = '1'
        fields[#fields + 1] = 'earlier'
        fields[#fields + 1] = earlier
    end
elseif not repetition then
    attempts = attempts + 1
    fields = {'source', source, 'attempts', attempts, 'claim', claim}
end
if not before then
    if before_is_absent then
        before = 'state\nabsent'
    elseif state == 'present' and (tonumber(verified_at) or 0) >= warm_since then
        before = known
    end
    if before then
        fields[#fields + 1] = 'before'
        fields[#fields + 1] = before
    end
end
if #fields > 0 then
    call('HSET', command, unpack(fields))
end

local first = tonumber(attempts) == 1 and not earlier
return {'taken', token, attempts, received_at, first and 1 or 0, before,
    known == before and '=' or known, sequence, burned or '0', paused_ms or '0'}
