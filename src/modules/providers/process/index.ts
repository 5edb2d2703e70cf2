export { NOT_PERMITTED, runProgram, type ProgramEnd } from './run.js';
export {
  FileProcessTracker,
  killLeftovers,
  privateFolder,
  removeRunFiles,
  type ProcessTracker,
} from './tracker.js';
