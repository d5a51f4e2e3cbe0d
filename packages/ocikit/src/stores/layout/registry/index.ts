// The Registry, Maintenance and History over the layouts of a root.
export { BackgroundChecks } from './background-checks.ts';
export { layoutDeleter } from './deleter.ts';
export { layoutHistory } from './history.ts';
export { layoutLister } from './lister.ts';
export { layoutMaintenance } from './maintenance.ts';
export { layoutReader } from './reader.ts';
export { LayoutState } from './state.ts';
export { leaveUsedTimes, readUsedTimes, takeUsedTimes } from './used-times-file.ts';
export { layoutUploads, layoutWriter } from './writer.ts';
