local gate = load()
local breaker, terms, answered = gate.breaker, said.terms, said.answered
local circuit, stopping = '', ''

local function settle_page()
  if now - breaker.window_at >= policy.window_seconds or now < breaker.window_at then
    breaker.window_at, breaker.window_sound, breaker.window_faults = now, 0, 0
  end
  breaker.window_sound = breaker.window_sound + answered.sound
  breaker.window_faults = breaker.window_faults + answered.faults
  breaker.failures = answered.sound > 0 and 0 or breaker.failures + answered.faults
  local decided = breaker.window_sound + breaker.window_faults
  local is_brown = answered.faults > 0 and decided >= policy.window_requests
    and breaker.window_faults >= decided * policy.window_share
  if answered.is_run or breaker.failures >= terms.failures or is_brown then
    turn(breaker, 'open', terms.open_seconds)
    circuit = 'opened'
  end
end

local function settle_probes()
  breaker.probes = probes_but(breaker, function(probe) return probe[1] == answered.token end)
  if answered.faults > 0 then
    turn(breaker, 'open', terms.open_seconds)
    circuit = 'opened'
    return
  end
  breaker.successes = breaker.successes + answered.sound
  if breaker.successes >= terms.successes then
    turn(breaker, 'closed')
    circuit = 'closed'
  end
end

if answered.faults > 0 then breaker.last_fault_at = now end
if answered.turn == breaker.turn then
  if breaker.state == 'half_open' then settle_probes() elseif breaker.state == 'closed' then settle_page() end
end

if said.backoff_seconds >= 0 then gate.backoff_until = math.max(gate.backoff_until, now + said.backoff_seconds) end

local is_known = gate.stop and gate.stop.fingerprint == said.fingerprint
if said.refused ~= '' and not is_known then
  local retry_at = now + said.stop_retry_seconds
  gate.stop = { fingerprint = said.fingerprint, code = said.refused, since = now, retry_at = retry_at }
  stopping = 'stopped'
elseif said.is_taken_again and is_known then
  gate.stop = nil
  stopping = 'resumed'
end
keep(gate)

local function add(into, more)
  for at, value in ipairs(more) do
    if type(value) == 'table' then add(into[at], value) else into[at] = into[at] + value end
  end
end

if #said.minute > 0 then
  local minute = math.floor(now / 60)
  local packed = redis.call('HGET', KEYS[2], minute)
  local line = said.minute
  if packed then
    line = cmsgpack.unpack(packed)
    add(line, said.minute)
  else
    for _, old in ipairs(redis.call('HKEYS', KEYS[2])) do
      if tonumber(old) <= minute - policy.minutes then redis.call('HDEL', KEYS[2], old) end
    end
  end
  redis.call('HSET', KEYS[2], minute, cmsgpack.pack(line))
  redis.call('EXPIRE', KEYS[2], (policy.minutes + 1) * 60)
end
return cmsgpack.pack({ circuit = circuit, stop = stopping })
