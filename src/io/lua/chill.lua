-- SPDX-License-Identifier: Apache-2.0
-- CHILL (design 4.9): one step through the spaces that are there already, from an older copy or from
-- a rebuild that was cut off. Each becomes cold, and its lane free: whoever held it can't renew
-- its lease in a data set that isn't whole, and a lease passes before it is.
--
-- KEYS  1 lock of the rebuild
-- ARGV  1 "<incarnation> <attempt>", 2 cursor ("0" begins), 3 prefix of the spaces' keys
--       4 how long a space that isn't present is kept (ms)
--
-- Replies
--   chilled, cursor   "0": that was the last step
--   lost              the lock isn't the caller's
--
-- SCAN sees every key that is there from the first step to the last, whatever else is added.

if call('GET', KEYS[1]) ~= ARGV[1] then
    return {'lost'}
end
local pattern = string.gsub(ARGV[3], '[%*%?%[%]%\\]', '\\%0') .. '*'
local found = call('SCAN', ARGV[2], 'MATCH', pattern, 'COUNT', 1000)
for _, space in ipairs(found[2]) do
    local state = call('HGET', space, 'state')
    if state then
        call('HSET', space, 'verified_at', '0')
    end
    call('HDEL', space, 'holder_instance', 'holder_incarnation', 'holder_command', 'renewals')
    if state ~= 'present' then
        call('PEXPIRE', space, ARGV[4])
    end
end
return {'chilled', found[1]}
