-- SPDX-License-Identifier: Apache-2.0
-- BASES (design 4.10): where the last committed transaction of each partition ended, in which log that
-- is, and where an operator decided that it goes on.
--
-- KEYS  1 epoch, 2 ... for each partition its base, the mark of its log, the decision
--
-- Replies
--   bases, for each of the keys what it holds; an empty string when there is nothing
--   unknown   the data set isn't complete: nothing can be said from what isn't there

if call('EXISTS', KEYS[1]) == 0 then
    return {'unknown'}
end
local reply = {'bases'}
for i = 2, #KEYS do
    reply[i] = call('GET', KEYS[i]) or ''
end
return reply
