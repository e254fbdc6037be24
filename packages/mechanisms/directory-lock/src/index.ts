export { DirectoryInUseError, lockDirectory, type DirectoryLock } from './directory-lock.ts';
