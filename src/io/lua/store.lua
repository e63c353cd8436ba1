-- SPDX-License-Identifier: Apache-2.0
-- STORE (design 4.6): the outcome of a command, what its space has become, and the indexes, at once.
--
-- KEYS  1 space hash, 2 command hash, 3 set of the registry's spaces, 4 set of its public spaces,
--       5 sequence
-- ARGV  1 instance, 2 incarnation, 3 command id, 4 token
--       5 digest, 6 source, 7 kind (SUCCEEDED, REJECTED, FAILED), 8 result: the first part of the
--       publication
--       9 how long the outcome is kept, 10 how long a space that isn't present is (both ms)
--       11 what the space becomes: "present", "absent", "same" (as it was) or "cold" (the same, and
--       cold)
--       12 "1": free the lane, 13 "<registry>/<space>", 14 prefix of the sets of workspaces
--       15 rest: the other part of the publication, empty if there is none
--       16 ... fields and values of a present or absent space
-- The sets of workspaces are named by the bindings, and so are not among KEYS.
--
-- Replies
--   stored, sequence   now; without the sequence: by an earlier run of this call
--   already, same source, state current, publication, version   another outcome was stored first
--   held     another holds the lane, or has held it since
--   gone     the claim isn't known here (any more)

local space, command, registry, public, sequence = unpack(KEYS)
local instance, incarnation, id, token = unpack(ARGV, 1, 4)
local digest, source, kind, result = unpack(ARGV, 5, 8)
local memory, tombstone, becomes, free = ARGV[9], ARGV[10], ARGV[11], ARGV[12] == '1'
local member, workspaces, rest = ARGV[13], ARGV[14], ARGV[15]
local FIELDS = 16

local lane_instance, lane_incarnation, lane_id, lane_token, state, visibility, space_version =
    unpack(redis.call('HMGET', space, 'holder_instance', 'holder_incarnation', 'holder_command',
        'token', 'state', 'visibility', 'version'))
local own = lane_id == id and lane_incarnation == incarnation and lane_instance == instance
local ours = own and lane_token == token

local function let_go()
    if ours and free then
        redis.call('HDEL', space, 'holder_instance', 'holder_incarnation', 'holder_command',
            'renewals')
    end
end

local known_digest, known_kind, known_source, known_version = unpack(
    redis.call('HMGET', command, 'digest', 'kind', 'source', 'version'))

-- The same bytes are the same outcome: then this is a repetition whose first reply was lost. The
-- space may have gone on since, so nothing is written again. Of a settled outcome only the result is
-- left, and the version says the same as the rest did.
local same = same_source(known_source, source)
if known_kind and (known_kind ~= 'FAILED' or same) then
    local known, known_rest = unpack(redis.call('HMGET', command, 'result', 'rest'))
    let_go()
    local same_rest = (known_rest or '') == rest or (not known_rest and known_version == token)
    if known == result and same_rest and same then
        return {'stored'}
    end
    return {'already', same and 1 or 0,
        space_version == known_version and 1 or 0, known .. (known_rest or ''), known_version}
end

if not ours then
    local taken_since = (tonumber(lane_token) or 0) > tonumber(token)
    if taken_since or (lane_id and not own) then
        return {'held'}
    end
    return {'gone'}
end
if known_digest ~= digest then
    return {'gone'}
end

-- The bindings that the space has now, by field name.
local function bindings()
    local bound = {}
    if state then
        for _, field in ipairs(redis.call('HKEYS', space)) do
            if string.sub(field, 1, 8) == 'binding:' then
                bound[field] = true
            end
        end
    end
    return bound
end

local function set_of(field)
    return workspaces .. string.sub(field, 9)
end

local function become_present()
    local bound, now_visibility = bindings(), false
    for i = FIELDS, #ARGV, 2 do
        local field = ARGV[i]
        if field == 'visibility' then
            now_visibility = ARGV[i + 1]
        elseif bound[field] then
            bound[field] = nil
        elseif string.sub(field, 1, 8) == 'binding:' then
            redis.call('ZADD', set_of(field), 0, member)
        end
    end
    local unbound = {}
    for field in pairs(bound) do
        redis.call('ZREM', set_of(field), member)
        unbound[#unbound + 1] = field
    end
    if #unbound > 0 then
        redis.call('HDEL', space, unpack(unbound))
    end
    redis.call('HSET', space, unpack(ARGV, FIELDS))
    if state ~= 'present' then
        redis.call('ZADD', registry, 0, member)
    end
    local was_public = state == 'present' and visibility == 'PUBLIC'
    local is_public = now_visibility == 'PUBLIC'
    if is_public ~= was_public then
        if is_public then
            redis.call('ZADD', public, 0, member)
        else
            redis.call('ZREM', public, member)
        end
    end
end

-- Leaves a tombstone: it says "absent", with a version, for a while.
local function become_absent()
    for field in pairs(bindings()) do
        redis.call('ZREM', set_of(field), member)
    end
    redis.call('ZREM', registry, member)
    redis.call('ZREM', public, member)
    local renewals = redis.call('HGET', space, 'renewals')
    redis.call('DEL', space)
    redis.call('HSET', space, 'token', token, 'renewals', renewals, 'holder_instance', instance,
        'holder_incarnation', incarnation, 'holder_command', id, unpack(ARGV, FIELDS))
    redis.call('PEXPIRE', space, tombstone)
end

local function stay()
    if state and becomes == 'cold' then
        redis.call('HSET', space, 'verified_at', '0')
    end
    if state ~= 'present' then
        redis.call('PEXPIRE', space, tombstone)
    end
end

if becomes == 'present' then
    become_present()
elseif becomes == 'absent' then
    become_absent()
else
    stay()
end
-- `before` has done its work: the outcome says what it was. The budget has, too.
redis.call('HSET', command, 'source', source, 'kind', kind, 'version', token, 'result', result)
if rest ~= '' then
    redis.call('HSET', command, 'rest', rest)
end
redis.call('HDEL', command, 'before', 'burned', 'paused_ms')
if kind ~= 'FAILED' then
    redis.call('HDEL', command, 'claim') -- Else it may be claimed anew, for another record.
end
redis.call('PEXPIRE', command, memory)
local raised = raise()
let_go()
return {'stored', raised}
