#!/bin/sh
# mpiexec, mpirun: run an MPI program over the nodes of a topology, by `divisi run`.
#
#   mpiexec [-n K] [--topology NAME | --policy FILE] [--mode MODE] [--backend BACKEND] [-l] PROGRAM [ARGUMENT]...
#
#   -n, -np K          ranks (default: one for every PU, or for every node of the topology)
#   --topology NAME    over one that is there; also the environment variable DIVISI_TOPOLOGY
#   --policy FILE      over one made by this policy for the run
#   --memory SIZE      memory of a node where none is named; also DIVISI_NODE_MEMORY (default: 256MiB)
#   --mode, --backend  as for divisi run
#   --on-deadlock WHAT end (default), report or ignore, when all ranks wait for each other
#   -l, --label        each line of output begins with its rank
#
# Where neither a topology nor a policy is named, one is made for the run: K fully linked nodes over all cores. What other MPIs'
# mpiexec is told about placing ranks on a machine (--oversubscribe, --bind-to and the like) is taken and has no effect: a
# policy says that.
set -eu

self=$(readlink -f "$0")
name=$(basename "$self")

fail() {
    echo "$name: $1" >&2
    exit 125
}

root=$(dirname "$self")
while [ ! -x "$root/bin/divisi" ]; do
    [ "$root" != / ] || fail "there is no bin/divisi above $(dirname "$self")"
    root=$(dirname "$root")
done
divisi=$root/bin/divisi

ranks='' topology=${DIVISI_TOPOLOGY:-} policy='' memory=${DIVISI_NODE_MEMORY:-256MiB} mode='' backend=${DIVISI_BACKEND:-} label='' deadlock=''

while [ $# -gt 0 ]; do
    case $1 in
        -n | -np | --np | --n | -c | --topology | --policy | --memory | --mode | --backend | --on-deadlock | --bind-to | --map-by | -bind-to | \
            -map-by | --mca | -x | -env | -genv | -wdir | --wdir | -ppn | -timeout | --timeout | --hostfile | -hostfile | -f | --host | -host)
            [ $# -gt 1 ] || fail "$1 needs a value"
            ;;
        *) ;;
    esac
    case $1 in
        -n | -np | --np | --n | -c) ranks=$2 && shift ;;
        --topology) topology=$2 && shift ;;
        --policy) policy=$2 && topology='' && shift ;;
        --memory) memory=$2 && shift ;;
        --mode) mode=$2 && shift ;;
        --backend) backend=$2 && shift ;;
        --on-deadlock) deadlock=$2 && shift ;;
        -l | --label) label=--label ;;
        -wdir | --wdir)
            cd "$2"
            shift
            ;;
        -x)
            # Open MPI's: the environment comes along anyway; NAME=VALUE sets one.
            case $2 in *=*) export "${2?}" ;; esac
            shift
            ;;
        -env | -genv)
            [ $# -gt 2 ] || fail "$1 needs a name and a value"
            export "$2=$3"
            shift 2
            ;;
        --oversubscribe | -oversubscribe | --allow-run-as-root | -genvall | -envall | -q | --quiet) ;;
        --mca) shift 2 ;;
        --bind-to | --map-by | -bind-to | -map-by | -ppn) shift ;;
        --host | -host | --hostfile | -hostfile | -f)
            fail "$1: nodes are not named here; a policy says which cores they are on (--policy FILE)"
            ;;
        -h | --help)
            sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$self"
            exit 0
            ;;
        --)
            shift
            break
            ;;
        -*) fail "unknown option $1 (see $name --help)" ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || fail "which program? (see $name --help)"
case $ranks in
    '' | [1-9] | [1-9][0-9] | [1-9][0-9][0-9] | [1-9][0-9][0-9][0-9]) ;;
    *) fail "-n $ranks: a number of ranks is wanted" ;;
esac

# In place of this shell: whoever kills it kills the job.
run() {
    [ -z "$mode" ] || set -- --mode "$mode" "$@"
    [ -z "$deadlock" ] || set -- --on-deadlock "$deadlock" "$@"
    [ -z "$backend" ] || set -- --backend "$backend" "$@"
    # shellcheck disable=SC2086  # one word or none
    exec "$divisi" run $label ${ranks:+-n $ranks} "$@"
}

if [ -n "$topology" ]; then
    # A topology that is there has its mode and its backend.
    mode='' backend=''
    run "$topology" -- "$@"
fi
if [ -n "$policy" ]; then
    run --policy "$policy" -- "$@"
fi

run --policy /dev/fd/9 -- "$@" 9<<END
apiVersion: divisi/v1
name: mpi-$$
nodes:
  count: ${ranks:-$(nproc)}
  memory: $memory
mode: message-passing
shared:
  memory: 2GiB
END
