// The counterpart of the distribution specification's conformance suite, as groups of cases.
export { officialGroups } from './groups.ts';
