-- How long users stay online if they do not sign in again.
-- Keys, all below the prefix P:
--   P:u:<app>          hash: user -> signed-in connections in the cluster
--   P:v:<app>:<user>   string: the user has left, and still counts as online until this expires
-- ARGV: P, app, user, ...
-- Answers: of each user, -1 where it is signed in, 0 where it is offline, else milliseconds
local p, app = ARGV[1], ARGV[2]
local answer = {}
for i = 3, #ARGV do
  if redis.call('HEXISTS', p .. ':u:' .. app, ARGV[i]) == 1 then
    answer[#answer + 1] = -1
  else
    answer[#answer + 1] = math.max(0, redis.call('PTTL', p .. ':v:' .. app .. ':' .. ARGV[i]))
  end
end
return answer
