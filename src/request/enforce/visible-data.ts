/**
 * What may be seen of Prometheus's rules, alerts and targets. Pure. Written anew from closed lists of fields: what is not
 * listed (discovered labels, dropped targets, errors that quote other series, whatever a later version adds) is left out.
 */
import type { LabelsOf } from './restriction.ts';

export type FilteredData = 'rules' | 'alerts' | 'targets' | 'metadata';
type Allows = (labels: LabelsOf) => boolean;
type Fields = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/** The shape is not one that is known: nothing of it may be passed on. */
class UnknownShape extends Error {}

/**
 * @param data - the `data` of Prometheus's answer.
 * @returns null when its shape is not known.
 */
export function visibleData(of: FilteredData, data: unknown, allows: Allows): Fields | null {
  try {
    return VISIBLE[of](recordOf(data), allows);
  } catch (error) {
    if (error instanceof UnknownShape) return null;
    throw error;
  }
}

const VISIBLE: Readonly<Record<FilteredData, (data: Fields, allows: Allows) => Fields>> = {
  rules: (data, allows) => ({
    groups: recordsOf(data['groups']).flatMap((group) => {
      const rules = recordsOf(group['rules']).flatMap((rule) => visibleRule(rule, allows));
      return rules.length === 0 ? [] : [{ ...picked(group, GROUP), rules }];
    }),
  }),
  alerts: (data, allows) => ({ alerts: visibleAlerts(data['alerts'], allows) }),
  targets: (data, allows) => ({
    activeTargets: recordsOf(data['activeTargets'] ?? []).flatMap((target) => {
      const labels = labelsOf(target['labels']);
      return allows(reader(labels)) ? [{ discoveredLabels: {}, ...picked(target, TARGET), labels }] : [];
    }),
    droppedTargets: [],
  }),
  // Nothing in it says whose it is; an editor works with none, and does not with an error.
  metadata: () => ({}),
};

const GROUP = ['name', 'file', 'interval', 'limit', 'evaluationTime', 'lastEvaluation'];
/** Without `lastError`, which quotes the series that a rule stumbled over, and `state`, which speaks of all its alerts. */
const RULE = [
  'name',
  'query',
  'duration',
  'keepFiringFor',
  'annotations',
  'health',
  'evaluationTime',
  'lastEvaluation',
  'type',
];
const ALERT = ['annotations', 'state', 'activeAt', 'keepFiringSince', 'value'];
const TARGET = [
  'scrapePool',
  'scrapeUrl',
  'globalUrl',
  'lastError',
  'lastScrape',
  'lastScrapeDuration',
  'health',
  'scrapeInterval',
  'scrapeTimeout',
];

/**
 * A rule is seen by who may see every series that it can make: its own labels and the name decide. Labels that come only
 * from what the rule evaluates are not known here, so a rule without the label of a tenant is nobody's.
 */
function visibleRule(rule: Fields, allows: Allows): Fields[] {
  const labels = labelsOf(rule['labels'] ?? {});
  const name = stringOf(rule['name']);
  const isAlerting = rule['type'] === 'alerting';
  if (!isAlerting && rule['type'] !== 'recording') throw new UnknownShape();
  const made = isAlerting ? { ...labels, alertname: name, __name__: ALERTS } : { ...labels, __name__: name };
  if (!allows(reader(made))) return [];
  if (!isAlerting) return [{ ...picked(rule, RULE), labels }];
  const alerts = visibleAlerts(rule['alerts'], allows);
  return [{ state: stateOf(alerts), ...picked(rule, RULE), labels, alerts }];
}

/** The name of the series that an alert makes. */
const ALERTS = 'ALERTS';

function visibleAlerts(alerts: unknown, allows: Allows): Fields[] {
  return recordsOf(alerts).flatMap((alert) => {
    const labels = labelsOf(alert['labels']);
    return allows(reader({ ...labels, __name__: ALERTS })) ? [{ labels, ...picked(alert, ALERT) }] : [];
  });
}

/** As Prometheus has it: the worst of its alerts. */
function stateOf(alerts: readonly Fields[]): string {
  const has = (state: string): boolean => alerts.some((alert) => alert['state'] === state);
  return has('firing') ? 'firing' : has('pending') ? 'pending' : 'inactive';
}

function picked(from: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(from, name)).map((name) => [name, from[name]]));
}

function reader(labels: Labels): LabelsOf {
  return (name) => (Object.hasOwn(labels, name) ? labels[name] : undefined);
}

function recordOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UnknownShape();
  return value as Fields;
}

function recordsOf(value: unknown): readonly Fields[] {
  // Go writes an empty list as null where nobody has made one.
  if (value === null) return [];
  if (!Array.isArray(value)) throw new UnknownShape();
  return value.map(recordOf);
}

function stringOf(value: unknown): string {
  if (typeof value !== 'string') throw new UnknownShape();
  return value;
}

function labelsOf(value: unknown): Labels {
  return Object.fromEntries(Object.entries(recordOf(value)).map(([name, text]) => [name, stringOf(text)]));
}
