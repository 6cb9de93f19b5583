-- insight: the analytical views. Plain column types only, so that any BI tool can read them; security_invoker, so that
-- each reader sees what he may see.

CREATE VIEW crm.channel_performance WITH (security_invoker = true) AS
SELECT s.channel::text AS channel,
       s.customers,
       s.interactions,
       s.observations,
       s.successes,
       s.failures,
       (s.prior_success + s.successes) / (s.prior_success + s.successes + s.prior_failure + s.failures) AS success_rate,
       crm.beta_quantile(0.05, s.prior_success + s.successes, s.prior_failure + s.failures) AS lower,
       crm.beta_quantile(0.95, s.prior_success + s.successes, s.prior_failure + s.failures) AS upper,
       s.unit_cost::double precision AS unit_cost,
       s.unit_cost::double precision * (s.prior_success + s.successes + s.prior_failure + s.failures)
           / (s.prior_success + s.successes) AS cost_per_success,
       s.last_contact_at
FROM (SELECT t.channel, p.prior_success, p.prior_failure, p.unit_cost,
             count(*) AS customers,
             sum(t.interactions)::bigint AS interactions,
             sum(crm.observations(t.score))::bigint AS observations,
             sum(crm.successes(t.score, now())) AS successes,
             sum(crm.failures(t.score, now())) AS failures,
             max(greatest(t.last_outbound_at, t.last_inbound_at)) AS last_contact_at
      FROM crm.customer_channel AS t
      JOIN crm.channel_policy AS p USING (channel)
      GROUP BY t.channel, p.prior_success, p.prior_failure, p.unit_cost) AS s;
COMMENT ON VIEW crm.channel_performance IS
    'how well each channel reaches the customers it is used for. Channels are chosen for customers, not drawn for them: differences between channels are not effects of the channel';
COMMENT ON COLUMN crm.channel_performance.channel IS 'channel';
COMMENT ON COLUMN crm.channel_performance.customers IS 'customers it was used with';
COMMENT ON COLUMN crm.channel_performance.interactions IS 'contacts over it';
COMMENT ON COLUMN crm.channel_performance.observations IS 'contacts that told something about it';
COMMENT ON COLUMN crm.channel_performance.successes IS 'successes, decayed to now';
COMMENT ON COLUMN crm.channel_performance.failures IS 'failures, decayed to now';
COMMENT ON COLUMN crm.channel_performance.success_rate IS 'share of successes, as posterior mean';
COMMENT ON COLUMN crm.channel_performance.lower IS 'lower bound of the 90 % credible interval, taking all customers as alike';
COMMENT ON COLUMN crm.channel_performance.upper IS 'upper bound of that interval';
COMMENT ON COLUMN crm.channel_performance.unit_cost IS 'cost of one contact';
COMMENT ON COLUMN crm.channel_performance.cost_per_success IS 'unit cost over success rate';
COMMENT ON COLUMN crm.channel_performance.last_contact_at IS 'newest contact over it';

CREATE VIEW crm.customer_360 WITH (security_invoker = true) AS
SELECT c.customer_id,
       c.kind::text AS kind,
       c.name,
       c.given_name,
       c.family_name,
       c.birth_date,
       c.language,
       c.country,
       c.time_zone,
       c.lifecycle::text AS lifecycle,
       c.peer_group,
       c.attributes::text AS attributes,
       c.source,
       c.source_key,
       a.email,
       a.phone,
       coalesce(a.contact_points, 0) AS contact_points,
       coalesce(t.interactions, 0) AS interactions,
       t.last_inbound_at,
       t.last_outbound_at,
       b.channel AS preferred_channel,
       b.mean AS preferred_channel_mean,
       coalesce(h.purchases, 0) AS purchases,
       coalesce(h.purchase_days, 0) AS purchase_days,
       h.first_purchase_at,
       h.last_purchase_at,
       h.currency,
       h.total_spend,
       h.mean_spend,
       c.created_at,
       c.updated_at
FROM crm.customer AS c
LEFT JOIN (SELECT p.customer_id,
                  count(*) AS contact_points,
                  (array_agg(p.canonical ORDER BY p.is_primary DESC, p.contact_point_id)
                      FILTER (WHERE p.channel = 'email'))[1] AS email,
                  (array_agg(p.canonical ORDER BY p.is_primary DESC, p.contact_point_id)
                      FILTER (WHERE p.channel = 'phone'))[1] AS phone
           FROM crm.contact_point AS p
           WHERE p.blocked_at IS NULL
           GROUP BY p.customer_id) AS a ON a.customer_id = c.customer_id
LEFT JOIN (SELECT t.customer_id,
                  sum(t.interactions)::bigint AS interactions,
                  max(t.last_inbound_at) AS last_inbound_at,
                  max(t.last_outbound_at) AS last_outbound_at
           FROM crm.customer_channel AS t
           GROUP BY t.customer_id) AS t ON t.customer_id = c.customer_id
LEFT JOIN (SELECT DISTINCT ON (t.customer_id) t.customer_id, t.channel::text AS channel,
                  crm.score_mean(t.score, p.a, p.b, now()) AS mean
           FROM crm.customer_channel AS t
           JOIN crm.customer_prior AS p USING (customer_id, channel)
           ORDER BY t.customer_id, crm.score_mean(t.score, p.a, p.b, now()) DESC,
                    t.channel) AS b ON b.customer_id = c.customer_id
LEFT JOIN (SELECT DISTINCT ON (h.customer_id) h.customer_id, h.currency,
                  crm.purchases(h.history) AS purchases,
                  crm.purchase_days(h.history) AS purchase_days,
                  crm.first_purchase(h.history) AS first_purchase_at,
                  crm.last_purchase(h.history) AS last_purchase_at,
                  crm.total_spend(h.history) AS total_spend,
                  crm.mean_spend(h.history)::double precision AS mean_spend
           FROM crm.customer_history AS h
           ORDER BY h.customer_id, crm.purchases(h.history) DESC, h.currency) AS h ON h.customer_id = c.customer_id;
COMMENT ON VIEW crm.customer_360 IS 'all that is known of a customer, in one row; segment rules are predicates over it';
COMMENT ON COLUMN crm.customer_360.customer_id IS 'customer';
COMMENT ON COLUMN crm.customer_360.kind IS 'person, organisation or household';
COMMENT ON COLUMN crm.customer_360.name IS 'full or company name';
COMMENT ON COLUMN crm.customer_360.given_name IS 'given name';
COMMENT ON COLUMN crm.customer_360.family_name IS 'family name';
COMMENT ON COLUMN crm.customer_360.birth_date IS 'date of birth';
COMMENT ON COLUMN crm.customer_360.language IS 'language (BCP 47)';
COMMENT ON COLUMN crm.customer_360.country IS 'country (ISO 3166-1 alpha-2)';
COMMENT ON COLUMN crm.customer_360.time_zone IS 'time zone (IANA)';
COMMENT ON COLUMN crm.customer_360.lifecycle IS 'prospect, lead, customer, lapsed or lost';
COMMENT ON COLUMN crm.customer_360.peer_group IS 'group of comparable customers';
COMMENT ON COLUMN crm.customer_360.attributes IS 'custom attributes, as JSON text';
COMMENT ON COLUMN crm.customer_360.source IS 'system the customer came from';
COMMENT ON COLUMN crm.customer_360.source_key IS 'key in that system';
COMMENT ON COLUMN crm.customer_360.email IS 'e-mail address to use: the primary one, else the oldest; none that is blocked';
COMMENT ON COLUMN crm.customer_360.phone IS 'telephone number to use (E.164), chosen likewise';
COMMENT ON COLUMN crm.customer_360.contact_points IS 'usable contact points';
COMMENT ON COLUMN crm.customer_360.interactions IS 'contacts with the customer';
COMMENT ON COLUMN crm.customer_360.last_inbound_at IS 'newest contact that the customer began';
COMMENT ON COLUMN crm.customer_360.last_outbound_at IS 'newest contact that we began';
COMMENT ON COLUMN crm.customer_360.preferred_channel IS 'channel over which the customer was best reached, of those that were used; by his own prior, as in crm.channel_preference';
COMMENT ON COLUMN crm.customer_360.preferred_channel_mean IS 'probability that a contact over it succeeds: posterior mean';
COMMENT ON COLUMN crm.customer_360.purchases IS 'purchases in the currency named';
COMMENT ON COLUMN crm.customer_360.purchase_days IS 'UTC days with a purchase';
COMMENT ON COLUMN crm.customer_360.first_purchase_at IS 'first purchase';
COMMENT ON COLUMN crm.customer_360.last_purchase_at IS 'newest purchase';
COMMENT ON COLUMN crm.customer_360.currency IS 'the currency in which the customer buys most often (ISO 4217)';
COMMENT ON COLUMN crm.customer_360.total_spend IS 'sum of purchases in that currency';
COMMENT ON COLUMN crm.customer_360.mean_spend IS 'mean spend of a repeat purchase day; null before there is one';
COMMENT ON COLUMN crm.customer_360.created_at IS 'when the customer was entered';
COMMENT ON COLUMN crm.customer_360.updated_at IS 'when the customer''s row last changed';

CREATE VIEW crm.rfm WITH (security_invoker = true) AS
SELECT q.customer_id,
       q.currency,
       q.last_purchase_at,
       q.recency_days,
       q.frequency,
       q.monetary,
       q.recency_score,
       q.frequency_score,
       q.monetary_score,
       q.recency_score::text || q.frequency_score::text || q.monetary_score::text AS rfm,
       CASE WHEN q.recency_score >= 4 AND q.frequency_score >= 4 THEN 'champion'
            WHEN q.frequency_score >= 4 AND q.recency_score = 3 THEN 'loyal'
            WHEN q.frequency_score >= 4 THEN 'at risk'
            WHEN q.frequency = 1 AND q.recency_score >= 4 THEN 'new'
            WHEN q.frequency = 1 AND q.recency_score <= 2 THEN 'one-time, gone'
            WHEN q.recency_score >= 4 THEN 'promising'
            WHEN q.recency_score = 3 THEN 'needs attention'
            ELSE 'fading' END AS class
FROM (SELECT h.customer_id, h.currency, h.last_purchase_at,
             extract(epoch FROM now() - h.last_purchase_at)::double precision / 86400 AS recency_days,
             h.frequency, h.monetary,
             -- (rank - 1) / n instead of ntile: customers who are alike share a score
             (1 + 5 * (rank() OVER (PARTITION BY h.currency ORDER BY h.last_purchase_at) - 1)
                / count(*) OVER (PARTITION BY h.currency))::integer AS recency_score,
             (1 + 5 * (rank() OVER (PARTITION BY h.currency ORDER BY h.frequency) - 1)
                / count(*) OVER (PARTITION BY h.currency))::integer AS frequency_score,
             (1 + 5 * (rank() OVER (PARTITION BY h.currency ORDER BY h.monetary) - 1)
                / count(*) OVER (PARTITION BY h.currency))::integer AS monetary_score
      FROM (SELECT h.customer_id, h.currency,
                   crm.last_purchase(h.history) AS last_purchase_at,
                   crm.purchase_days(h.history) AS frequency,
                   crm.total_spend(h.history) AS monetary
            FROM crm.customer_history AS h) AS h) AS q;
COMMENT ON VIEW crm.rfm IS
    'recency, frequency and monetary value in quintiles 1 (low) to 5 (high) among the buyers in the same currency. Equal values share a score: it counts the share of buyers strictly below, so everyone with a single purchase has frequency score 1';
COMMENT ON COLUMN crm.rfm.customer_id IS 'customer';
COMMENT ON COLUMN crm.rfm.currency IS 'currency (ISO 4217); each is ranked by itself';
COMMENT ON COLUMN crm.rfm.last_purchase_at IS 'newest purchase';
COMMENT ON COLUMN crm.rfm.recency_days IS 'days since the newest purchase';
COMMENT ON COLUMN crm.rfm.frequency IS 'UTC days with a purchase';
COMMENT ON COLUMN crm.rfm.monetary IS 'total spend';
COMMENT ON COLUMN crm.rfm.recency_score IS '1 (long ago) to 5 (just now)';
COMMENT ON COLUMN crm.rfm.frequency_score IS '1 (seldom) to 5 (often); a single purchase is always 1';
COMMENT ON COLUMN crm.rfm.monetary_score IS '1 (little) to 5 (much)';
COMMENT ON COLUMN crm.rfm.rfm IS 'the three scores, one digit each';
COMMENT ON COLUMN crm.rfm.class IS 'the usual reading of recency and frequency in words';
