export { runProgram, type ProgramEnd, type ProgramRun } from './run.js';
export {
  FileProcessTracker,
  killLeftovers,
  privateFolder,
  removeRunFiles,
  type Leftovers,
  type ProcessTracker,
} from './tracker.js';
