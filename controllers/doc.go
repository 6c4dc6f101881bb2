// Package controllers makes of each GoHubCluster what it asks for, and keeps it so.
//
// [Setup] adds the controller to a manager. One reconciliation reads what there is
// from the manager's cache, asks the pure parts what is to be done and does it:
// [github.com/chenxilol/gohub/controllers/resources] builds the objects, which are
// applied where they are not as they are wanted; controllers/scaling plans how
// many hubs there are and which of them go; controllers/conditions says how the
// cluster is, for its status. What the hubs have to do is read apart from that, by
// controllers/hubstats.
package controllers
