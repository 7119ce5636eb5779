local gate = load()
local breaker, terms = gate.breaker, said.terms
local event = ''

local free  -- nil: any number
if breaker.state == 'open' and now >= breaker['until'] then
  turn(breaker, 'half_open')
  event = 'half_opened'
end
if breaker.state == 'open' then
  free = 0
elseif breaker.state == 'half_open' then
  breaker.probes = probes_but(breaker, function(probe) return probe[3] <= now end)
  free = terms.probes
  for _, probe in ipairs(breaker.probes) do free = free - probe[2] end
  free = math.max(0, free)
end

local stop = gate.stop
local is_stopped = stop and stop.fingerprint == said.fingerprint
local allowed, why, wait, is_stop_probe = said.wanted, '', 0, false
if is_stopped and now < stop.retry_at then
  allowed, why, wait = 0, 'account_stopped', stop.retry_at - now
elseif is_stopped and free ~= 0 and now >= gate.backoff_until then
  allowed, why, wait, is_stop_probe = math.min(1, said.wanted), 'account_stopped', said.stop_retry_seconds, true
elseif now < gate.backoff_until then
  allowed, why, wait = 0, 'backing_off', gate.backoff_until - now
elseif free and free < said.wanted then
  allowed, why = free, 'circuit_open'
  wait = breaker.state == 'open' and breaker['until'] - now or said.probe_wait_seconds
end

-- The sums of channels/rules/bucket.py.
local granted, rate_wait = allowed, 0
if said.rate > 0 and allowed > 0 then
  local tokens = said.burst
  if gate.tokens then tokens = math.min(said.burst, gate.tokens + math.max(0, now - gate.tokens_at) * said.rate) end
  granted = math.min(allowed, math.floor(tokens))
  gate.tokens, gate.tokens_at = tokens - granted, now
  local missing = math.min(allowed - granted, math.max(1, math.floor(said.burst)))
  if missing > 0 then rate_wait = math.max(0, (missing - gate.tokens) / said.rate) end
end

if granted > 0 and free then
  breaker.probes[#breaker.probes + 1] = { said.token, granted, now + said.lease_seconds }
end
if granted > 0 and is_stop_probe then stop.retry_at = now + said.stop_retry_seconds end
keep(gate)
return cmsgpack.pack({
  granted = granted, allowed = allowed, why = why, wait_seconds = wait, rate_wait_seconds = rate_wait,
  turn = breaker.turn, is_stop_probe = is_stop_probe, event = event,
})
