// Robots: tokens for machines.
export { memoryRobots } from './robot-record.ts';
export type { RobotRecord, RobotStore } from './robot-record.ts';
export * from './robots.ts';
export * from './robots-text.ts';
